from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.backbone.distillation import Distiller
from experiments.backbone.loop import learn
from experiments.backbone.settings import NarrowConfig
from nst.backbones.load import build
from nst.errors import InputError
from tests.experiments.small_vgg import WIDE, narrow_all, patches, random_vgg16


@pytest.fixture(autouse=True)
def few_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow_all(monkeypatch)


def distiller(scale: float = 1, **settings: Any) -> Distiller:
    """A random student that stands for the first half of a random teacher's channels.

    Args:
        scale: of the last layer, in both
        settings: of the training
    """
    quick = {"teacher": "random", "steps": 4, "batch": 2, "side": 32, "checkpoint_every": 2}
    cfg = NarrowConfig(**{**quick, **settings})
    student = build("vgg16_mini", cfg.pooling)
    generator, state, channels = torch.Generator().manual_seed(7), {}, {}
    for key, value in student.chain.state_dict().items():
        name, _, kind = key.partition(".")
        noise = torch.randn(value.shape, generator=generator)
        state[key] = noise * (2 / value[0].numel()) ** 0.5 if kind == "weight" else 0.1 * noise
        channels[name] = torch.arange(len(value))
    student.chain.load_state_dict(state, assign=True)
    teacher = random_vgg16()
    for network in (teacher, student):
        for parameter in network.chain["conv_13"].parameters():
            parameter.data.mul_(scale)
    pool = (patches("swirl", 48) * 255).to(torch.uint8)
    return Distiller(cfg, pool, teacher, student, channels)


def test_learning_lowers_every_loss_and_the_errors(tmp_path: Path) -> None:
    """On pictures that it has not seen."""
    pupil, unseen = distiller(steps=60, batch=4, learning_rate=0.2), patches("coffee", 32)
    losses, errors = values(pupil.losses(unseen)), pupil.errors(unseen)
    history = learn(pupil, tmp_path)
    after = values(pupil.losses(unseen))
    assert history[0].keys() == after.keys() == {"features", "channels", "gram"}
    assert all(after[name] < 0.8 * losses[name] for name in losses)
    assert list(errors) == [f"relu_{k}" for k in range(1, 14)]
    assert sum(pupil.errors(unseen).values()) < 0.8 * sum(errors.values())


def values(losses: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(loss.detach()) for name, loss in losses.items()}


def test_a_student_that_computes_what_its_teacher_does_has_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    narrow_all(monkeypatch, mini=WIDE)
    pupil, images = distiller(), patches("coffee", 32)
    pupil.student.load_state_dict(random_vgg16().state_dict())
    assert max(pupil.errors(images).values()) < 1e-3  # the teacher's rounding
    assert max(values(pupil.losses(images)).values()) < 1e-3


def test_losses_are_relative_to_what_the_teacher_computes() -> None:
    """A student whose features are all zero: Gram matrices are wrong by all they are."""
    pupil, images = distiller(), patches("coffee", 32)
    for parameter in pupil.student.parameters():
        parameter.detach().zero_()
    losses = values(pupil.losses(images))
    assert losses["gram"] == pytest.approx(1, abs=1e-3)
    assert losses["features"] > 0.9  # the mean square is at least the variance


def test_losses_do_not_depend_on_the_magnitude_of_a_layer() -> None:
    images = patches("coffee", 32)
    losses, eightfold = (values(distiller(scale).losses(images)) for scale in (1, 8))
    assert eightfold == pytest.approx(losses, rel=1e-3)


def test_training_goes_on_from_a_checkpoint_as_if_never_stopped(tmp_path: Path) -> None:
    straight = distiller()
    (tmp_path / "straight").mkdir()
    losses = learn(straight, tmp_path / "straight")

    broken = distiller()
    broken.train_step = partial(stop_at, broken, broken.train_step, 3)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        learn(broken, tmp_path)
    resumed = distiller()
    again = learn(resumed, tmp_path)

    assert resumed.step == 4
    assert len(again) == len((tmp_path / "losses.jsonl").read_text().splitlines()) == 4
    assert again == [pytest.approx(each, rel=1e-3) for each in losses]
    for key, value in straight.student.state_dict().items():
        assert torch.allclose(value, resumed.student.state_dict()[key], rtol=1e-3, atol=1e-4), key


def stop_at(pupil: Distiller, step: Callable[[], dict[str, float]], last: int) -> dict[str, float]:
    if pupil.step == last:
        raise KeyboardInterrupt
    return step()


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    distiller().save(tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match="comes from other settings; choose another name="):
        distiller(learning_rate=0.02).load(tmp_path / "checkpoint.pt")
    elsewhere = distiller(teacher="the_same.pth", name="other", checkpoint_every=9)
    elsewhere.load(tmp_path / "checkpoint.pt")
    assert elsewhere.step == 0


def test_the_teacher_is_left_as_it_is(tmp_path: Path) -> None:
    pupil = distiller()
    before = {key: value.clone() for key, value in pupil.teacher.state_dict().items()}
    learn(pupil, tmp_path)
    assert all(torch.equal(value, before[k]) for k, value in pupil.teacher.state_dict().items())
