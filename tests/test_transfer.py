from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from nst.config import config_hash
from nst.errors import InputError
from nst.transfer import Progress, Transfer, loss_spec, pick_device
from tests.conftest import Compose


def run(composed: Compose, *overrides: str) -> list[Progress]:
    return list(Transfer(composed(*overrides)).run())


def test_steps_count_from_the_start_image(composed: Compose) -> None:
    steps = run(composed, "optimizer.steps=3")
    assert [p.step for p in steps] == [0, 1, 2, 3]
    seconds = [p.seconds for p in steps]
    assert seconds == sorted(seconds)
    assert run(composed, "optimizer.steps=0")[-1].step == 0


def test_the_same_seed_gives_the_same_bytes(composed: Compose) -> None:
    overrides = ("init=noise", "optimizer.steps=6")
    a, b = run(composed, *overrides)[-1], run(composed, *overrides)[-1]
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.terms, b.terms)
    other = run(composed, *overrides, "seed=1")[-1]
    assert not torch.equal(a.images, other.images)


@pytest.mark.parametrize("task", ["transfer", "content", "texture"])
def test_every_task_lowers_its_loss(composed: Compose, task: str) -> None:
    steps = run(composed, f"task={task}", "size=48", "optimizer.steps=30")
    first, last = (float(p.terms.sum()) for p in (steps[0], steps[-1]))
    assert last < 0.5 * first


def test_the_output_has_the_contents_shape_or_the_styles(composed: Compose) -> None:
    wide = ("content=chelsea", "optimizer.steps=0")
    assert run(composed, *wide, "size=48")[0].images.shape == (1, 3, 32, 48)
    texture = run(composed, *wide, "task=texture", "style=coffee", "style_size=64", "size=48")
    assert texture[0].images.shape == (1, 3, 32, 48)


def test_where_a_run_starts(composed: Compose, tmp_path: Path) -> None:
    def start(*overrides: str) -> torch.Tensor:
        return run(composed, "optimizer.steps=0", "size=32", *overrides)[0].images

    content, style = start("init=content"), start("init=style")
    assert torch.equal(start("task=transfer"), content)
    assert start("task=content").std() < 0.08  # grey with noise
    assert start("task=texture").std() < 0.08
    torch.testing.assert_close(
        style.mean((2, 3)), start("task=texture", "init=style").mean((2, 3)), atol=0.05, rtol=0
    )
    Image.new("RGB", (9, 5), (255, 0, 0)).save(tmp_path / "red.png")
    red = start("init=image", f"init.image={tmp_path / 'red.png'}")
    assert red.shape == content.shape
    torch.testing.assert_close(red[0, 0].mean(), torch.tensor(1.0))
    noisy = start("init=content", "init.scale=0.25", "init.distribution=uniform")
    assert 0.05 < (noisy - content).abs().mean() < 0.25
    smooth = start("init=smooth_noise", "init.scale=0.2")
    assert smooth.std() > 0.1


def test_a_second_pass_goes_on_from_the_enlarged_result(composed: Compose) -> None:
    overrides = ("size=32", "optimizer.steps=4", "passes=[{scale:1.5,steps:3}]")
    steps = run(composed, *overrides)
    assert [p.step for p in steps] == list(range(8))
    assert [max(p.images.shape[2:]) for p in steps] == [32] * 5 + [48] * 3
    again = Transfer(composed(*overrides))
    for _ in range(2):  # a run can be repeated
        assert [max(p.images.shape[2:]) for p in again.run()][::7] == [32, 48]
    assert config_hash(composed(*overrides)) != config_hash(composed("optimizer.steps=4"))


def test_weights_reach_the_objective(composed: Compose) -> None:
    spec = loss_spec(
        composed(
            "style_layers=[conv_2,conv_4]", "loss.style_layer_weights=[3,0.5]", "loss=gatys2015"
        )
    )
    assert spec.style_layers == {"conv_2": 3.0, "conv_4": 0.5}
    assert (spec.content, spec.style, spec.style_weight) == ("half_sum", "gatys", 1000.0)


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="device=cuda:99: this machine has no such device"):
        pick_device("cuda:99")


def test_a_loss_that_starts_infinite_is_refused(composed: Compose) -> None:
    overrides = ("loss=gatys2015", "loss.style_weight=1e300", "optimizer.steps=1")
    with pytest.raises(InputError, match="start image's loss is not finite"):
        run(composed, *overrides)
