"""The gradient written out for chains, against autograd's."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.errors import InputError
from nst.gradients.chain import ChainGradient, is_chain
from nst.gradients.engine import by_autograd
from nst.losses.features import Features
from nst.losses.gram import Gram
from nst.losses.layer_loss import LayerLoss, LayerSize, Picture, Role, Target
from nst.losses.objective import Objective
from nst.losses.pixel_statistics import PixelStatistics
from nst.losses.terms import weighted_terms
from nst.losses.total_variation import TotalVariation
from nst.losses.wasserstein2 import Wasserstein2
from tests.losses.cases import random_pictures

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
    return random_pictures(seed, n, dtype=dtype)


SMOOTH = (TotalVariation(), 0.7)


def objective(
    layers: str,
    backbone: Backbone,
    n: int = 1,
    style: LayerLoss | None = None,
    pixels: tuple[tuple[LayerLoss, float], ...] = (SMOOTH,),
) -> Objective:
    content_layers, style_layers = LAYER_SETS[layers]
    spec = weighted_terms(
        content_layers, style_layers, pixels, content_weight=3.0, style_weight=5.0, style=style
    )
    images = pictures(2 * n, backbone.mean.dtype, seed=6)
    return Objective.of_pictures(backbone, spec, images[:n], images[n:, ..., :30])


STYLES = [
    ("avg", Gram()),
    ("max", Gram("gatys")),
    ("avg", Gram(shifted_gram_share=0.7)),
    ("blur", Gram("relative", activation_shift=0.6, shifted_gram_share=0.7)),
    ("max", Wasserstein2()),
]


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize(("pooling", "style"), STYLES)
@pytest.mark.parametrize("layers", LAYER_SETS)
def test_it_is_autograds_gradient(layers: str, pooling: str, style: LayerLoss, n: int) -> None:
    pixels = (SMOOTH, (PixelStatistics(), 2.0))
    problem = objective(layers, network(pooling), n, style, pixels)
    images = pictures(n)
    terms, gradient = by_autograd(problem, images)
    own_terms, own_gradient = ChainGradient(problem)(images)
    torch.testing.assert_close(own_terms, terms, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(own_gradient, gradient, rtol=1e-8, atol=1e-12)


def test_one_target_serves_all_images() -> None:
    content, style = LAYER_SETS["usual"]
    spec = weighted_terms(content, style, [SMOOTH], content=Features("half_sum"))
    target = pictures(1, seed=6)
    problem = Objective.of_pictures(network("avg"), spec, target, target[..., :30])
    images = pictures(3)
    for computed, expected in zip(
        ChainGradient(problem)(images), by_autograd(problem, images), strict=True
    ):
        torch.testing.assert_close(computed, expected, rtol=1e-7, atol=1e-12)


def test_several_losses_may_sit_at_one_layer() -> None:
    """A content loss and a style loss before a ReLU, and both behind it."""
    layers = {"conv_3": 1.0, "relu_3": 0.5}
    images = pictures(2)
    for style in (Gram(shifted_gram_share=0.5), Wasserstein2()):
        spec = weighted_terms(layers, layers, style=style)
        problem = Objective.of_pictures(network("avg"), spec, images[:1] ** 2, images[1:] ** 2)
        for computed, expected in zip(
            ChainGradient(problem, checkpointing=True)(images),
            by_autograd(problem, images),
            strict=True,
        ):
            torch.testing.assert_close(computed, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("layers", ["usual", "before and after"])
def test_float32_agrees_to_rounding(layers: str) -> None:
    problem = objective(layers, network("avg", torch.float32))
    images = pictures(2, torch.float32)
    terms, gradient = by_autograd(problem, images)
    own_terms, own_gradient = ChainGradient(problem)(images)
    torch.testing.assert_close(own_terms, terms, rtol=1e-4, atol=1e-7)
    assert distance(own_gradient, gradient) < 1e-4


@pytest.mark.parametrize(("pooling", "style"), STYLES)
@pytest.mark.parametrize("layers", LAYER_SETS)
@pytest.mark.usefixtures("thin_strips")
def test_in_strips_it_is_the_same(layers: str, pooling: str, style: LayerLoss) -> None:
    """Odd heights, strips of a few rows, and losses before, behind and within what is cut."""
    problem = objective(layers, network(pooling), 2, style)
    images = pictures(2)
    terms, gradient = ChainGradient(problem)(images)
    again, in_strips = ChainGradient(problem, checkpointing=True)(images)
    torch.testing.assert_close(again, terms, rtol=1e-9, atol=1e-14)
    assert distance(in_strips, gradient) < 1e-9


class Extremes(Gram):
    """Gram matrices of features less their own largest: no mean over positions."""

    additive = False

    def statistic(
        self,
        features: Tensor,
        reference: tuple[Tensor, ...] = (),
        weights: Tensor | None = None,
        rows: int | None = None,
    ) -> Tensor:
        return super().statistic(features - features.amax((2, 3), keepdim=True), reference)


@pytest.mark.parametrize("layers", LAYER_SETS)
@pytest.mark.usefixtures("thin_strips")
def test_a_loss_that_sees_its_layer_whole_is_never_cut(layers: str) -> None:
    problem = objective(layers, network("avg"), 2, Extremes())
    images = pictures(2)
    terms, gradient = by_autograd(problem, images)
    for checkpointing in (False, True):
        own_terms, own_gradient = ChainGradient(problem, checkpointing)(images)
        torch.testing.assert_close(own_terms, terms, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(own_gradient, gradient, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_small_blocks_are_as_without_checkpointing_to_the_last_bit(dtype: torch.dtype) -> None:
    problem = objective("usual", network("avg", torch.float32).in_precision(dtype))
    images = pictures(2, torch.float32)
    for plain, checkpointed in zip(
        ChainGradient(problem)(images),
        ChainGradient(problem, checkpointing=True)(images),
        strict=True,
    ):
        assert torch.equal(plain, checkpointed)


def distance(x: Tensor, y: Tensor) -> float:
    return float((x - y).norm() / y.norm())


@pytest.mark.parametrize("share", [0.0, 0.7])
@pytest.mark.parametrize("pooling", ["avg", "max", "blur"])
def test_bfloat16_is_close(pooling: str, share: float) -> None:
    backbone = load_backbone("vgg19_mini", "shipped", pooling)  # random filters amplify rounding
    style = Gram(activation_shift=0.6, shifted_gram_share=share)
    images = pictures(2, torch.float32)
    terms, gradient = by_autograd(objective("usual", backbone, style=style), images)
    half = objective("usual", backbone.in_precision(torch.bfloat16), style=style)
    own_terms, own_gradient = ChainGradient(half)(images)
    assert own_terms.dtype == own_gradient.dtype == torch.float32
    torch.testing.assert_close(own_terms, terms, rtol=0.03, atol=1e-6)
    assert distance(own_gradient, gradient) < 0.1


def test_bfloat16s_own_targets_cost_nothing(picture: Tensor) -> None:
    """The rounding of weights cancels, so that the same picture stays the best."""
    backbone = load_backbone("vgg19_mini", "shipped", "avg").in_precision(torch.bfloat16)
    spec = weighted_terms({"relu_2": 1.0}, {"relu_1": 1.0})
    problem = Objective.of_pictures(backbone, spec, picture, picture)
    terms, gradient = ChainGradient(problem)(picture)
    assert terms.abs().max() == 0
    assert gradient.abs().max() == 0


@pytest.mark.parametrize("style", [Gram(shifted_gram_share=0.5), Wasserstein2()])
def test_images_never_mix(style: LayerLoss) -> None:
    problem = objective("usual", network("avg"), style=style)
    images = pictures(3)
    terms, gradient = ChainGradient(problem)(images)
    for i in range(3):
        alone = ChainGradient(problem)(images[i : i + 1])
        torch.testing.assert_close(terms[i : i + 1], alone[0])
        torch.testing.assert_close(gradient[i : i + 1], alone[1])


def test_which_networks_are_chains(mini: Backbone) -> None:
    assert is_chain(mini)
    assert not is_chain(load_backbone("squeezenet1_0", "random", "avg"))
    odd = copy.deepcopy(mini)
    odd.chain["pool_1"] = torch.nn.AvgPool2d(3, stride=2, ceil_mode=True)
    assert not is_chain(odd)


def test_an_image_too_small_is_refused_by_name(mini: Backbone, picture: Tensor) -> None:
    spec = weighted_terms({}, {"pool_4": 1.0})
    problem = Objective.of_pictures(mini, spec, style=picture)
    with pytest.raises(InputError, match="8×8 pixels is too small for layer pool_4"):
        ChainGradient(problem)(picture[..., :8, :8])


@dataclass(frozen=True)
class Means(LayerLoss):
    """Channel means by a sum, whose gradient autograd shows as one number at all positions."""

    name: ClassVar[str] = "means"
    role: ClassVar[Role] = "style"
    imitates: ClassVar[Picture | None] = "style"
    additive: ClassVar[bool] = True

    def statistic(
        self,
        features: Tensor,
        reference: tuple[Tensor, ...] = (),
        weights: Tensor | None = None,
        rows: int | None = None,
    ) -> Tensor:
        return features.sum((2, 3)) / features[0, 0].numel()

    def distance(self, statistic: Tensor, target: Target, size: LayerSize) -> Tensor:
        return (statistic - target.statistic).sum(1)


class MeansOfAWhole(Means):
    additive: ClassVar[bool] = False


@pytest.mark.parametrize("loss", [Means(), MeansOfAWhole()], ids=["additive", "whole"])
@pytest.mark.parametrize("pooling", ["avg", "max", "blur"])
def test_a_loss_may_leave_its_gradient_to_autograd(loss: LayerLoss, pooling: str) -> None:
    """At the deepest layer, a ReLU, where the backward pass begins and works in place."""
    spec = weighted_terms({"relu_3": 1.0}, {"relu_5": 3.0}, style=loss)
    images = pictures(4)
    problem = Objective.of_pictures(network(pooling), spec, images[:1], images[1:2])
    terms, gradient = ChainGradient(problem)(images[2:])
    expected_terms, expected = by_autograd(problem, images[2:])
    torch.testing.assert_close(terms, expected_terms, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-12)
