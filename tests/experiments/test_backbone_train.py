from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.backbone import train as train_backbone
from experiments.backbone.loop import learn
from experiments.backbone.pool import PHOTOS, draw_pool
from experiments.backbone.settings import TaskWeights, TrainConfig, check
from experiments.backbone.train import Trainer
from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.errors import InputError

POOL = torch.randint(0, 256, (8, 3, 64, 64), generator=torch.Generator().manual_seed(0))
POOL = POOL.to(torch.uint8)


def config(**values: Any) -> TrainConfig:
    return TrainConfig(**{"steps": 4, "batch": 4, "side": 32, "checkpoint_every": 2} | values)


def trainer(pool: torch.Tensor = POOL, teacher: Backbone | None = None, **values: Any) -> Trainer:
    """From the shipped weights: clustering filters takes longer than these tests."""
    return Trainer(config(**values), pool, load_backbone("vgg19_mini", "shipped", "avg"), teacher)


def test_training_goes_on_from_a_checkpoint_as_if_never_stopped(tmp_path: Path) -> None:
    straight = trainer()
    (tmp_path / "straight").mkdir()
    losses = learn(straight, tmp_path / "straight")

    broken = trainer()
    broken.train_step = partial(_stop_at, broken, broken.train_step, 3)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        learn(broken, tmp_path)
    resumed = trainer()
    again = learn(resumed, tmp_path)

    assert resumed.step == 4
    assert len(again) == len((tmp_path / "losses.jsonl").read_text().splitlines()) == 4
    assert again[3] == pytest.approx(losses[3], rel=1e-4)
    for key, value in straight.student.state_dict().items():
        assert torch.allclose(value, resumed.student.state_dict()[key], rtol=1e-4, atol=1e-5), key


def _stop_at(pupil: Trainer, step: Any, last: int) -> Any:
    if pupil.step == last:
        raise KeyboardInterrupt
    return step()


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    trainer().save(tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match="other settings"):
        trainer(batch=6).load(tmp_path / "checkpoint.pt")
    other_mix = trainer(mix=0.1, checkpoint_every=9)
    other_mix.load(tmp_path / "checkpoint.pt")
    assert other_mix.step == 0


def test_learning_lowers_the_losses_and_the_result_loads(tmp_path: Path) -> None:
    teacher = load_backbone("squeezenet1_0", "random")
    pupil = trainer(teacher=teacher, steps=12, weights=TaskWeights(teacher=1.0))
    losses = learn(pupil, tmp_path)
    assert losses[-1]["reconstruction"] < losses[0]["reconstruction"]
    file = train_backbone.write_result(pupil, losses, tmp_path)
    record = json.loads((tmp_path / "vgg19_mini.json").read_text())
    backbone = load_backbone("vgg19_mini", str(file), "avg")
    assert backbone.weights_record.sha256 == record["sha256"]
    assert record["losses_last_100"].keys() == losses[0].keys()
    features = backbone(torch.rand(1, 3, 64, 64), ["relu_16"])["relu_16"]
    assert torch.isfinite(features).all()


def test_mix_zero_is_the_start_and_one_the_end(tmp_path: Path) -> None:
    pupil = trainer()
    start = pupil.result(1.0).chain.state_dict()
    learn(pupil, tmp_path)
    for mix, same in ((0.0, True), (1.0, False)):
        weight = pupil.result(mix).chain.state_dict()["conv_8.weight"]
        assert torch.allclose(weight, start["conv_8.weight"], rtol=1e-3, atol=1e-5) == same


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"steps": 0}, "steps=0"),
        ({"side": 40}, "multiple of 16"),
        ({"image_side": 16}, "image_side=16"),
        ({"mix": 1.5}, "from 0 to 1"),
        ({"pooling": "mean"}, "pooling=mean must be one of"),
        ({"padding": "none"}, "padding=none must be one of zeros"),
    ],
)
def test_values_that_make_no_sense(values: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        check(config(**values))


@pytest.mark.slow
def test_the_pool_is_drawn_once(tmp_path: Path) -> None:
    cfg = config(images=3, image_side=32)
    pool = draw_pool(cfg, tmp_path)
    assert (pool.shape, pool.dtype) == ((3, 3, 32, 32), torch.uint8)
    assert pool.float().std((1, 2, 3)).min() > 0
    (file,) = tmp_path.iterdir()
    torch.save(pool + 1, file)
    assert torch.equal(draw_pool(cfg, tmp_path), pool + 1)  # it is the file's


def test_evaluation_images_are_not_trained_on() -> None:
    assert not {"chelsea", "cat", "coffee"} & set(PHOTOS)
