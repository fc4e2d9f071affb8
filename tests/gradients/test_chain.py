"""The gradient written out against autograd's."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest
import torch
from torch import Tensor

from nst.backbones.network import Backbone, load_backbone
from nst.errors import InputError
from nst.gradients.chain import ExplicitGradient, plan, strips, supports
from nst.losses.objective import LossSpec, Objective

LAYER_SETS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "usual": ({"relu_10": 1.0}, {"relu_1": 0.2, "relu_3": 0.2, "relu_5": 0.3, "relu_9": 0.3}),
    "before ReLU": ({"conv_4": 2.0}, {"conv_1": 1.0, "conv_2": 0.5, "conv_3": 0.5}),
    "before and after": ({"conv_2": 1.0, "relu_2": 0.5}, {"conv_2": 1.0, "relu_2": 2.0}),
    "pools": ({"pool_1": 1.0}, {"pool_2": 1.0, "pool_3": 0.5}),
    "pixels": ({"input": 1.0}, {"input": 0.3}),
    "pixels and more": ({"input": 0.5, "relu_2": 0.5}, {"relu_1": 1.0}),
    "content only": ({"conv_3": 1.0}, {}),
    "style only": ({}, {"relu_4": 1.0}),
    "nothing": ({}, {}),
}


@functools.cache
def network(pooling: str, dtype: torch.dtype = torch.float64) -> Backbone:
    backbone = load_backbone("vgg19_mini", "random", pooling)
    return backbone.to(dtype)


def pictures(n: int, dtype: torch.dtype = torch.float64, seed: int = 5) -> Tensor:
    """Odd sizes on the way down, so that pooling leaves rows and columns out."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, 26, 37, generator=generator, dtype=torch.float64).to(dtype)


def objective(layers: str, backbone: Backbone, n: int = 1, **options: Any) -> Objective:
    content, style = LAYER_SETS[layers]
    spec = LossSpec(content, style, content_weight=3.0, style_weight=5.0, **options)
    images = pictures(2 * n, backbone.mean.dtype, seed=6)
    return Objective(backbone, spec, images[:n], images[n:, ..., :30])


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize(
    ("pooling", "shift", "neighbours"),
    [("avg", 0.0, 0.0), ("max", 0.0, 0.0), ("avg", 0.0, 0.7), ("blur", 0.6, 0.7)],
)
@pytest.mark.parametrize("layers", LAYER_SETS)
def test_it_is_autograds_gradient(
    layers: str, pooling: str, shift: float, neighbours: float, n: int
) -> None:
    style: dict[str, Any] = {"style_shift": shift, "style_neighbours": neighbours}
    problem = objective(layers, network(pooling), n, tv_weight=0.7, patch_weight=2.0, **style)
    images = pictures(n)
    terms, gradient = problem.value_and_gradient(images)
    ours, written_out = ExplicitGradient(problem)(images)
    torch.testing.assert_close(ours, terms, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(written_out, gradient, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(("content", "style"), [("half_sum", "gatys"), ("mean", "chollet")])
@pytest.mark.parametrize(("beta", "reduction"), [(2.0, "sum"), (2.5, "sum"), (2.5, "mean")])
def test_every_convention(content: str, style: str, beta: float, reduction: str) -> None:
    options: dict[str, Any] = {
        "content": content,
        "style": style,
        "tv_beta": beta,
        "tv_reduction": reduction,
    }
    problem = objective("usual", network("avg"), tv_weight=0.3, **options)
    images = pictures(3)  # one target for all
    for ours, autograd in zip(
        ExplicitGradient(problem)(images),
        problem.value_and_gradient(images),
        strict=True,
    ):
        torch.testing.assert_close(ours, autograd, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("layers", ["usual", "before and after"])
def test_float32_agrees_to_rounding(layers: str) -> None:
    problem = objective(layers, network("avg", torch.float32), tv_weight=0.7)
    images = pictures(2, torch.float32)
    terms, gradient = problem.value_and_gradient(images)
    ours, written_out = ExplicitGradient(problem)(images)
    torch.testing.assert_close(ours, terms, rtol=1e-4, atol=1e-7)
    assert relative(written_out, gradient) < 1e-4


@pytest.mark.parametrize(
    ("pooling", "shift", "neighbours"),
    [("avg", 0.0, 0.0), ("max", 0.0, 0.0), ("avg", 0.0, 0.7), ("blur", 0.6, 0.7)],
)
@pytest.mark.parametrize("layers", LAYER_SETS)
def test_in_strips_it_is_the_same(
    layers: str, pooling: str, shift: float, neighbours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Odd heights, strips of a few rows, and taps before, behind and within what is cut."""
    style: dict[str, Any] = {"style_shift": shift, "style_neighbours": neighbours}
    problem = objective(layers, network(pooling), 2, tv_weight=0.7, **style)
    images = pictures(2)
    terms, gradient = ExplicitGradient(problem)(images)
    monkeypatch.setattr("nst.gradients.chain._STRIP", 0)
    monkeypatch.setattr("nst.gradients.chain._LEAST", 1)
    again, in_strips = ExplicitGradient(problem, checkpoint=True)(images)
    torch.testing.assert_close(again, terms, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(in_strips, gradient, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_small_blocks_are_as_without_to_the_last_bit(dtype: torch.dtype) -> None:
    problem = objective("usual", network("avg", torch.float32).in_precision(dtype), tv_weight=0.7)
    images = pictures(2, torch.float32)
    for plain, checkpointed in zip(
        ExplicitGradient(problem)(images),
        ExplicitGradient(problem, checkpoint=True)(images),
        strict=True,
    ):
        assert torch.equal(plain, checkpointed)


def test_strips_cover_every_row_once_and_cut_no_pool() -> None:
    block = plan(network("avg"), ["relu_2", "relu_3"])[0]
    assert (block.halo, block.channels, block.pooled) == (2, 16, True)
    cut = strips(torch.Size((1, 3, 4001, 2000)), block)
    assert len(cut) > 1
    assert [row for strip in cut for row in range(strip.first, strip.last)] == list(range(4001))
    assert all(strip.first % 2 == strip.low % 2 == 0 for strip in cut)
    assert all(strip.last % 2 == strip.high % 2 == 0 for strip in cut[:-1])
    assert all(s.low == s.first - 4 and s.high == s.last + 4 for s in cut[1:-1])
    assert all(s.last - s.first > 1 for s in cut)
    assert len(strips(torch.Size((1, 3, 64, 64)), block)) == 1


def relative(x: Tensor, y: Tensor) -> float:
    return float((x - y).norm() / y.norm())


@pytest.mark.parametrize("neighbours", [0.0, 0.7])
@pytest.mark.parametrize("pooling", ["avg", "max", "blur"])
def test_bfloat16_is_close(pooling: str, neighbours: float) -> None:
    backbone = load_backbone("vgg19_mini", "shipped", pooling)  # random filters amplify rounding
    options: dict[str, Any] = {"tv_weight": 0.7, "style_shift": 0.6, "style_neighbours": neighbours}
    images = pictures(2, torch.float32)
    terms, gradient = objective("usual", backbone, **options).value_and_gradient(images)
    half = objective("usual", backbone.in_precision(torch.bfloat16), **options)
    ours, written_out = ExplicitGradient(half)(images)
    assert ours.dtype == written_out.dtype == torch.float32
    torch.testing.assert_close(ours, terms, rtol=0.03, atol=1e-6)
    assert relative(written_out, gradient) < 0.1


def test_bfloat16s_own_targets_cost_nothing(picture: Tensor) -> None:
    """The rounding of weights cancels, so that the same picture stays the best."""
    backbone = load_backbone("vgg19_mini", "shipped", "avg").in_precision(torch.bfloat16)
    spec = LossSpec({"relu_2": 1.0}, {"relu_1": 1.0})
    terms, gradient = ExplicitGradient(Objective(backbone, spec, picture, picture))(picture)
    assert terms.abs().max() == 0
    assert gradient.abs().max() == 0


def test_images_never_mix() -> None:
    problem = objective("usual", network("avg"), tv_weight=0.7, style_neighbours=0.5)
    images = pictures(3)
    terms, gradient = ExplicitGradient(problem)(images)
    for i in range(3):
        alone = ExplicitGradient(problem)(images[i : i + 1])
        torch.testing.assert_close(terms[i : i + 1], alone[0])
        torch.testing.assert_close(gradient[i : i + 1], alone[1])


def test_without_onednn_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = objective("usual", network("avg", torch.float32))
    images = pictures(1, torch.float32)
    fused = ExplicitGradient(problem)(images)
    monkeypatch.setattr("nst.gradients.chain._fused", lambda x: None)
    plain = ExplicitGradient(problem)(images)
    torch.testing.assert_close(plain[0], fused[0], rtol=1e-4, atol=1e-7)
    assert relative(plain[1], fused[1]) < 1e-4


def test_which_networks_it_takes(mini: Backbone) -> None:
    assert supports(mini)
    assert not supports(load_backbone("squeezenet1_0", "random", "avg"))
    odd = copy.deepcopy(mini)
    odd.chain["pool_1"] = torch.nn.AvgPool2d(3, stride=2, ceil_mode=True)
    assert not supports(odd)


def test_an_image_too_small_is_refused_by_name(mini: Backbone, picture: Tensor) -> None:
    problem = Objective(mini, LossSpec({}, {"pool_4": 1.0}), style=picture)
    with pytest.raises(InputError, match="8×8 pixels is too small for layer pool_4"):
        ExplicitGradient(problem)(picture[..., :8, :8])
