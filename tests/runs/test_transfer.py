from __future__ import annotations

import copy
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image

import nst
from nst.backbones.network import Backbone
from nst.config import config_hash
from nst.errors import InputError
from nst.gradients.engine import by_autograd
from nst.losses.objective import Objective
from nst.losses.terms import WeightedTerms, terms_from_config, weighted_terms
from nst.optimizers.lbfgs import LBFGS
from nst.optimizers.steps import Step, iterate
from nst.runs.passes import all_passes, coarse_scales, style_side
from nst.runs.transfer import Progress, Transfer, pick_device
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
    noisy = start("init=content", "init.amplitude=0.25", "init.distribution=uniform")
    assert 0.05 < (noisy - content).abs().mean() < 0.25
    smooth = start("init=smooth_noise", "init.amplitude=0.2")
    assert smooth.std() > 0.1


def test_a_second_pass_goes_on_from_the_enlarged_result(composed: Compose) -> None:
    overrides = ("size=32", "optimizer.steps=4", "passes=[{scale:1.5,steps:3}]")
    transfer = Transfer(composed(*overrides))
    for _ in range(2):  # a run can be repeated
        steps = list(transfer.run())
        assert [p.step for p in steps] == list(range(8))
        assert [max(p.images.shape[2:]) for p in steps] == [32] * 5 + [48] * 3
    assert config_hash(composed(*overrides)) != config_hash(composed("optimizer.steps=4"))


def test_weights_reach_the_objective(composed: Compose) -> None:
    layers = ("style_layers=[conv_2,conv_4]", "content_layer=conv_8")
    cfg = composed("loss=gatys2015", *layers, "loss.style_layer_weights=[3,0.5]")
    spec = terms_from_config(cfg)
    weights = dict(zip(spec.names, spec.weights, strict=True))
    assert weights == {
        **{"content/conv_8": 1.0, "style/conv_2": 3000.0, "style/conv_4": 500.0, "tv": 0.0},
    }
    assert Transfer(cfg).current.objectives.exact.weights.tolist() == [list(spec.weights)]


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="device=cuda:99: this machine has no such device"):
        pick_device("cuda:99")


def test_a_loss_that_starts_infinite_is_refused(composed: Compose) -> None:
    overrides = ("loss=gatys2015", "loss.style_weight=1e30", "optimizer.steps=1")
    with pytest.raises(InputError, match="start image's loss is not finite"):
        run(composed, *overrides)


DIFFERENT = (
    ("init=noise", "seed=0"),
    ("init=smooth_noise", "seed=1", "style=swirl", "style_size=64"),
    ("init=content", "init.amplitude=0.1", "loss.style_weight=30", "loss.content_weight=2"),
    (
        "init=style",
        "init.amplitude=0.1",  # at the style itself Adam's first step would be of rounding's signs
        "style=ink",
        "loss.tv_weight=0",
        "loss.style_layer_weights=[1,0,0,2,1]",
    ),
)


@pytest.mark.parametrize(
    "optimizer",
    [
        ["lbfgs"],
        pytest.param(["adam"], marks=pytest.mark.slow),
        pytest.param(["sgd", "optimizer.lr=1e-4"], marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_runs_of_one_batch_are_those_alone(composed: Compose, optimizer: list[str]) -> None:
    """But for the last bits, which every step amplifies, hence few: most of all one of L-BFGS along
    a pair that its short first step made, which the second pass leaves out."""
    name, *rate = optimizer
    passes = "passes=[{scale:1.5,steps:1}]"
    shared = (f"optimizer={name}", *rate, "optimizer.steps=4", passes, "precision=float32")
    shared += ("layers=gatys2015",)
    cfgs = [composed(*own, *shared) for own in DIFFERENT]
    together = list(Transfer(*cfgs).run())
    for i, cfg in enumerate(cfgs):
        alone = list(Transfer(cfg).run())
        assert [p.step for p in alone] == [p.step for p in together]
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(b.terms[i].sum(), a.terms.sum(), rtol=1e-3, atol=0)
            assert (b.images[i] - a.images[0]).abs().mean() < 1e-4
        assert int(alone[-1].restarts[0]) == int(together[-1].restarts[i])


def test_in_double_precision_a_batch_is_exact(mini: Backbone, picture: torch.Tensor) -> None:
    """Long after single precision has gone apart: 40 steps of L-BFGS to 1e-9."""
    backbone = copy.deepcopy(mini).double()
    weights = [{"relu_1": 1.0, "relu_5": w} for w in (0.1, 10.0, 3.0)]
    specs = [weighted_terms({"conv_4": 1.0}, each) for each in weights]
    content = picture.double()
    styles = [content.flip(2), content[..., :20], content.flip(3)]
    starts = content * torch.tensor([0.9, 0.5, 0.2]).view(-1, 1, 1, 1)

    def last(spec: list[WeightedTerms], style: list[torch.Tensor], start: torch.Tensor) -> Step:
        objective = Objective.of_pictures(backbone, spec, content, style)
        optimizer = LBFGS(partial(by_autograd, objective), start, clamp=True)
        *_, step = iterate(optimizer, steps=40)
        return step

    together = last(specs, styles, starts)
    for i in range(3):
        alone = last(specs[i : i + 1], styles[i : i + 1], starts[i : i + 1])
        torch.testing.assert_close(together.images[i], alone.images[0], rtol=0, atol=1e-9)


def test_what_cannot_share_is_refused(composed: Compose) -> None:
    with pytest.raises(ValueError, match="cannot share a batch"):
        Transfer(composed(), composed("content_layer=conv_2"))


def test_a_cpu_has_nothing_to_wait_for(composed: Compose) -> None:
    assert all(progress.settled for progress in run(composed, "optimizer.steps=2"))


@pytest.mark.skipif(not torch.accelerator.is_available(), reason="needs a GPU")
def test_a_gpu_is_waited_for_where_numbers_are_read(composed: Compose) -> None:
    """At every tenth step, counted through all passes, a pass's last, and at snapshots."""
    passes = ("device=auto", "passes=[{scale:1.5,steps:20}]", "snapshot_every=12")
    steps = run(composed, *passes, "optimizer.steps=5")
    assert [p.step for p in steps if p.settled] == [0, 5, 10, 12, 20, 24, 25]


def test_from_coarse_to_fine(composed: Compose) -> None:
    steps = run(composed, "size=64", "optimizer.steps=9", "coarse_scales=[0.25,0.5]")
    assert [p.step for p in steps] == list(range(3 + 3 + 9 + 1))
    sides = [p.images.shape[3] for p in steps]
    assert sides == [16] * 4 + [32] * 3 + [64] * 9


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("task=texture",), (0.5,)),
        (("task=texture", "size=512"), (0.25, 0.5)),
        (("task=texture", "coarse_scales=1"), ()),
        (("task=texture", "size=192"), ()),
        (("task=texture", "init=content"), ()),
        (("task=texture", "preset=gatys2015"), ()),
        (("task=transfer", "init=noise"), ()),
        (("task=transfer", "coarse_scales=[0.5]"), (0.5,)),
        (("task=transfer", "size=1023"), ()),
        (("task=transfer", "size=1024"), (0.5,)),
        (("task=transfer", "size=3000"), (0.125, 0.25, 0.5)),
        (("task=transfer", "size=3000", "init=noise"), (0.125, 0.25, 0.5)),
        (("task=transfer", "size=3000", "init=image", "init.image=swirl"), ()),
        (("task=transfer", "size=3000", "optimizer.steps=20"), ()),
        (("task=transfer", "size=3000", "coarse_scales=1"), ()),
        (("task=transfer", "size=3000", "preset=gatys2015"), ()),
        (("task=content", "size=3000"), ()),
    ],
)
def test_when_a_run_begins_coarsely(
    composed: Compose, overrides: tuple[str, ...], expected: tuple[float, ...]
) -> None:
    assert coarse_scales(composed("size=256", *overrides, "backbone=vgg19_mini")) == expected


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("size=3000",), [(375, 100), (750, 50), (1500, 25), (3000, 25)]),
        (("quality=best",), [(512, 200), (1024, 100)]),
        (("quality=draft",), [(256, 60)]),
        (("quality=draft", "size=300"), [(300, 60)]),
        (("quality=draft", "preset=gatys2015"), [(256, 500)]),
        (("quality=good",), [(512, 100)]),
    ],
)
def test_a_large_transfer_takes_most_steps_where_it_is_small(
    overrides: tuple[str, ...], expected: list[tuple[int, int]]
) -> None:
    assert all_passes(nst.compose(*overrides)) == expected


def test_a_coarse_styles_size_follows(composed: Compose) -> None:
    cfg = composed("size=64", "style_size=32", "coarse_scales=[0.5]")
    assert [style_side(cfg, side) for side in (32, 64, 128)] == [16, 32, 32]


@pytest.mark.parametrize("scales", ["[0.5,0.25]", "[0.5,1.5]", "often", "true", "[0.1]"])
def test_coarse_scales_that_cannot_work(composed: Compose, scales: str) -> None:
    with pytest.raises(InputError, match="coarse_scales="):
        composed("size=64", f"coarse_scales={scales}")
