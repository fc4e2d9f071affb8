"""What holds for every loss: one row for each, and every invariant for every row.

A new loss needs one row in ``ROWS`` and nothing else; without it, the first test fails.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import Tensor

from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.config import Task
from nst.gradients.chain import ChainGradient
from nst.gradients.engine import by_autograd, engine
from nst.losses import features, gram
from nst.losses.features import Features
from nst.losses.gram import Gram
from nst.losses.layer_loss import LayerLoss, Role, Target, mix, stack
from nst.losses.objective import Objective
from nst.losses.pixel_statistics import PixelStatistics
from nst.losses.registry import losses, option_fields
from nst.losses.terms import WeightedTerms, weighted_terms
from nst.losses.total_variation import TotalVariation
from nst.losses.wasserstein2 import Wasserstein2
from nst.optimizers.lbfgs import LBFGS
from nst.optimizers.steps import iterate
from tests.losses.cases import random_features, random_pictures, size_of

ROWS: tuple[LayerLoss, ...] = (
    *(Gram(name) for name in gram.NORMALIZATIONS),
    Gram(activation_shift=0.6),
    Gram(shifted_gram_share=0.7),
    Gram("relative", activation_shift=0.6, shifted_gram_share=0.7),
    *(Features(name) for name in features.NORMALIZATIONS),
    Wasserstein2("mean"),
    Wasserstein2("relative"),
    TotalVariation(beta=2.0),
    TotalVariation(beta=2.5, reduction="mean"),
    PixelStatistics(),
)


def row_name(loss: LayerLoss) -> str:
    options = [f"{option}={getattr(loss, option)}" for option in option_fields(type(loss))]
    return "-".join([loss.name, *options])


ADDITIVE = [loss for loss in ROWS if loss.additive]
WEIGHTED = [loss for loss in ROWS if not isinstance(loss, PixelStatistics)]  # which refuses weights

every_loss = pytest.mark.parametrize("loss", ROWS, ids=row_name)
every_additive_loss = pytest.mark.parametrize("loss", ADDITIVE, ids=row_name)
every_weighted_loss = pytest.mark.parametrize("loss", WEIGHTED, ids=row_name)


def test_every_loss_has_a_row() -> None:
    rows = {type(loss) for loss in ROWS}
    roles: tuple[Role, ...] = ("content", "style", "pixels")
    missing = [kind for role in roles for kind in losses(role).values() if kind not in rows]
    assert not missing, f"give {missing} a row in ROWS"


# --- one layer ----------------------------------------------------------------------------------


def layer(seed: int, n: int = 1, h: int = 13, w: int = 14, dtype: Any = torch.float64) -> Tensor:
    """Features of three channels, as a loss on pixels needs them, positive like those of a ReLU."""
    return 0.5 + 0.2 * random_features(seed, n, 3, h, w).to(dtype)


def target_of(loss: LayerLoss, features: Tensor) -> Target:
    return loss.target(features) if loss.imitates else Target(features.new_zeros(1))


def value(loss: LayerLoss, features: Tensor, target: Target) -> Tensor:
    return loss.distance(loss.statistic(features, target.reference), target, size_of(features, 400))


def autograd(loss: LayerLoss, features: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    leaf = features.detach().requires_grad_()
    values = value(loss, leaf, target)
    (gradient,) = torch.autograd.grad(values.sum(), leaf)
    return values.detach(), gradient


def upstream_of(
    loss: LayerLoss, features: Tensor, target: Target, weights: Tensor | None = None
) -> Tensor:
    """The upstream gradient at the sum over positions of the statistic, by autograd."""
    statistic = loss.statistic(features, target.reference, weights).detach().requires_grad_()
    values = loss.distance(statistic, target, size_of(features, 400))
    (upstream,) = torch.autograd.grad(values.sum(), statistic)
    mass = features.new_full((1,), features[0, 0].numel())
    mass = mass if weights is None else weights.sum((1, 2, 3))
    return upstream / mass.view(-1, *[1] * (upstream.ndim - 1))


@every_loss
def test_it_is_0_at_its_own_target(loss: LayerLoss) -> None:
    """To 1e-9 of the distance from another picture; what imitates nothing is 0 for a flat one."""
    own = layer(1) if loss.imitates else torch.full((1, 3, 13, 14), 0.3, dtype=torch.float64)
    target = target_of(loss, own)
    away = value(loss, layer(2), target).item()
    assert away > 0
    assert abs(value(loss, own, target).item()) <= 1e-9 * away
    assert (
        autograd(loss, own, target)[1].norm() <= 1e-6 * autograd(loss, layer(2), target)[1].norm()
    )


@every_loss
def test_it_is_finite_where_the_style_or_the_image_is_flat(loss: LayerLoss) -> None:
    flat = torch.full((1, 3, 13, 14), 0.3)
    some = layer(3, dtype=torch.float32)
    for image, picture in ((flat, flat), (some, flat), (flat, some)):
        values, gradient = autograd(loss, image, target_of(loss, picture))
        assert torch.isfinite(values).all()
        assert torch.isfinite(gradient).all()
        assert values.item() >= -1e-9


@every_loss
def test_its_gradient_agrees_with_finite_differences(loss: LayerLoss) -> None:
    """In float64, by torch's gradcheck."""
    target = target_of(loss, layer(4))
    images = layer(5, n=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: value(loss, x, target), images, fast_mode=True)


@every_loss
def test_value_and_gradient_are_those_of_statistic_and_distance(loss: LayerLoss) -> None:
    images, target = layer(6, n=2), target_of(loss, layer(7))
    values, gradient = autograd(loss, images, target)
    with torch.no_grad():
        own_values, own_gradient = loss.value_and_gradient(images, target, size_of(images, 400))
    torch.testing.assert_close(own_values, values, rtol=1e-9, atol=1e-15)
    torch.testing.assert_close(own_gradient, gradient, rtol=1e-9, atol=1e-15)


@every_additive_loss
def test_its_weighted_value_and_upstream_gradient_are_autograds(loss: LayerLoss) -> None:
    """With a weight of each image's own, and one target for both."""
    images, target = layer(36, n=2), target_of(loss, layer(37))
    weight = torch.tensor([2.0, 0.5], dtype=torch.float64)
    statistic = loss.statistic(images, target.reference)
    values, upstream = loss.value_and_upstream(
        statistic.clone(), target, size_of(images, 400), weight
    )
    torch.testing.assert_close(values, weight * value(loss, images, target))
    expected = weight.view(-1, *[1] * (upstream.ndim - 1)) * upstream_of(loss, images, target)
    torch.testing.assert_close(upstream, expected, rtol=1e-9, atol=1e-15)


@every_additive_loss
def test_its_own_gradient_is_autograds(loss: LayerLoss) -> None:
    """From the upstream gradient, alone and added to what arrives."""
    images, target = layer(8, n=2), target_of(loss, layer(9))
    _, gradient = autograd(loss, images, target)
    upstream = upstream_of(loss, images, target)
    with torch.no_grad():
        own = loss.gradient(images, target.reference, upstream)
        arriving = layer(10, n=2)
        both = loss.gradient(images, target.reference, upstream, into=arriving)
    torch.testing.assert_close(own, gradient, rtol=1e-9, atol=1e-15)
    torch.testing.assert_close(both, layer(10, n=2) + gradient)
    assert both is arriving


@every_loss
def test_a_batch_is_its_runs(loss: LayerLoss) -> None:
    """With a target of each image's own, and with one for all."""
    images = layer(11, n=3)
    own = [target_of(loss, layer(seed)) for seed in (12, 13, 14)]
    for together, each in ((stack(own), own), (own[0], [own[0]] * 3)):
        values, gradient = autograd(loss, images, together)
        for i, target in enumerate(each):
            alone, slope = autograd(loss, images[i : i + 1], target)
            torch.testing.assert_close(values[i : i + 1], alone)
            torch.testing.assert_close(gradient[i : i + 1], slope)


@every_weighted_loss
def test_weights_of_1_are_none(loss: LayerLoss) -> None:
    images, reference = layer(15, n=2), target_of(loss, layer(16)).reference
    plain = loss.statistic(images, reference)
    for ones in (torch.ones(1, 1, 13, 14), torch.ones(2, 1, 13, 14)):
        weighted = loss.statistic(images, reference, weights=ones.double())
        torch.testing.assert_close(weighted, plain)


@every_additive_loss
def test_weights_of_0_leave_positions_out(loss: LayerLoss) -> None:
    """A rectangle of ones gives the statistic of the features cut out.

    A pair of positions counts as much as the first of them. So where a loss sees pairs, those that
    lead out of the rectangle count with what lies outside; it must be 0 for the two to be the same.
    """
    picture, images = layer(17), layer(18, n=2)
    reference = loss.reference(picture)
    mask = torch.zeros(1, 1, 13, 14, dtype=torch.float64)
    mask[:, :, 2:9, 3:12] = 1
    if loss.reach:
        shift = reference[0][..., None, None] if reference else 0  # what counts as 0
        images = mask * images + (1 - mask) * shift
    weighted = loss.statistic(images, reference, weights=mask)
    cut_reference = tuple(r[..., 2:9, 3:12] if r.shape[2:] == (13, 14) else r for r in reference)
    cut = loss.statistic(images[..., 2:9, 3:12].contiguous(), cut_reference)
    torch.testing.assert_close(weighted, cut)


@every_additive_loss
def test_rows_at_the_top_count_alone(loss: LayerLoss) -> None:
    """Also those of a loss that reaches one row below: its weights and its strips agree."""
    images, reference = layer(19, n=2), loss.reference(layer(20))
    mask = torch.zeros(1, 1, 13, 14, dtype=torch.float64)
    mask[:, :, :5] = 1
    weighted = loss.statistic(images, reference, weights=mask)
    strip = images[:, :, : 5 + loss.reach]
    rows = loss.statistic(strip, loss.crop(reference, 0, 5), rows=5)
    torch.testing.assert_close(weighted, rows)


@every_additive_loss
def test_its_gradient_with_weights_is_autograds(loss: LayerLoss) -> None:
    images, target = layer(21, n=2), target_of(loss, layer(22))
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(2, 1, 13, 14, generator=generator, dtype=torch.float64)
    leaf = images.clone().requires_grad_()
    statistic = loss.statistic(leaf, target.reference, weights)
    values = loss.distance(statistic, target, size_of(images, 400))
    (gradient,) = torch.autograd.grad(values.sum(), leaf)
    upstream = upstream_of(loss, images, target, weights)
    own = loss.gradient(images, target.reference, upstream, weights)
    torch.testing.assert_close(own, gradient, rtol=1e-9, atol=1e-15)


@every_additive_loss
def test_targets_mix(loss: LayerLoss) -> None:
    """Shares of 1 and 0 give the first target, and every part of a mixture is linear in them."""
    first, second = (target_of(loss, layer(seed)) for seed in (23, 24))
    images = layer(25)
    alone = mix([first, second], [1, 0])
    torch.testing.assert_close(value(loss, images, alone), value(loss, images, first))
    mixed, swapped = mix([first, second], [0.3, 0.7]), mix([second, first], [0.3, 0.7])
    torch.testing.assert_close(
        mixed.statistic + swapped.statistic, first.statistic + second.statistic
    )
    parts = zip(mixed.reference, swapped.reference, first.reference, second.reference, strict=True)
    for one, other, a, b in parts:
        torch.testing.assert_close(one + other, a + b)


@every_additive_loss
def test_two_pictures_side_by_side_are_their_mixture(loss: LayerLoss) -> None:
    """Seen with respect to one reference, less the pairs that lead across the seam."""
    above, below = layer(26, h=6), layer(27, h=6)
    reference = loss.reference(layer(28, h=12))
    if loss.reach:  # what counts as 0 on either side of the seam
        above[:, :, -1] = below[:, :, 0] = reference[0][..., None] if reference else 0.0
    parts = [
        Target(loss.statistic(above, loss.crop(reference, 0, 6))),
        Target(loss.statistic(below, loss.crop(reference, 6, 12))),
    ]
    whole = loss.statistic(torch.cat([above, below], 2), reference)
    torch.testing.assert_close(mix(parts, [0.5, 0.5]).statistic, whole)


# --- the network --------------------------------------------------------------------------------


@functools.cache
def network(name: str, dtype: torch.dtype = torch.float32) -> Backbone:
    """The network that ships, or, in float64 and of SqueezeNet, one of random weights."""
    shipped = name == "vgg19_mini" and dtype != torch.float64
    backbone = load_backbone(name, "shipped" if shipped else "random", "avg")
    return backbone.to(dtype) if dtype == torch.float64 else backbone.in_precision(dtype)


def terms_with(loss: LayerLoss, layers: tuple[str, str]) -> WeightedTerms:
    """The terms of a run with the loss at these layers, or on the pixels."""
    weights = dict.fromkeys(layers, 0.5)
    if loss.role == "content":
        return weighted_terms(weights, content=loss)
    if loss.role == "style":
        return weighted_terms({}, weights, style=loss)
    return weighted_terms({layers[0]: 1.0}, {}, [(loss, 2.0)])


def objective(loss: LayerLoss, backbone: Backbone, layers: tuple[str, str]) -> Objective:
    content, style = random_pictures(29, 1), random_pictures(30, 1, h=24)
    spec = terms_with(loss, layers)
    dtype = backbone.mean.dtype
    return Objective.of_pictures(backbone, spec, content.to(dtype), style.to(dtype))


@every_loss
@pytest.mark.usefixtures("thin_strips")
def test_in_strips_it_is_the_whole(loss: LayerLoss) -> None:
    problem = objective(loss, network("vgg19_mini", torch.float64), ("relu_2", "conv_5"))
    images = random_pictures(31, 2)
    terms, gradient = by_autograd(problem, images)
    for checkpointing in (False, True):
        own_terms, own_gradient = ChainGradient(problem, checkpointing)(images)
        torch.testing.assert_close(own_terms, terms, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(own_gradient, gradient, rtol=1e-7, atol=1e-11)


@every_loss
def test_bfloat16_is_near_float32(loss: LayerLoss) -> None:
    """Terms to 3 %, gradients to 10 % of their length; losses on pixels are float32's own."""
    layers, images = ("relu_1", "relu_5"), random_pictures(32, 2, dtype=torch.float32)
    terms, gradient = engine(objective(loss, network("vgg19_mini"), layers))(images)
    half = objective(loss, network("vgg19_mini", torch.bfloat16), layers)
    half_terms, half_gradient = engine(half)(images)
    assert half_terms.dtype == half_gradient.dtype == torch.float32
    torch.testing.assert_close(half_terms, terms, rtol=0.03, atol=1e-6)
    assert (half_gradient - gradient).norm() < 0.1 * gradient.norm()
    if loss.role == "pixels":
        assert torch.equal(half_terms[:, -1], terms[:, -1])


def terms_of_run(loss: LayerLoss, task: Task, layers: tuple[str, str]) -> WeightedTerms:
    """Content and style as usual, but for the loss."""
    return weighted_terms(
        {layers[1]: 1.0} if task is Task.transfer else {},
        dict.fromkeys(layers, 0.5),
        [(loss, 2.0)] if loss.role == "pixels" else [],
        content=loss if loss.role == "content" else None,
        style=loss if loss.role == "style" else None,
    )


@pytest.mark.parametrize(
    ("task", "loss"),
    [
        *((Task.transfer, loss) for loss in ROWS),
        *((Task.texture, loss) for loss in ROWS if loss.role != "content"),
    ],
    ids=lambda value: row_name(value) if isinstance(value, LayerLoss) else value.name,
)
@pytest.mark.parametrize("name", ["vgg19_mini", "squeezenet1_0"])
def test_a_run_goes_down(name: str, task: Task, loss: LayerLoss) -> None:
    """Through the engine, a few steps of L-BFGS from noise, two images at once."""
    layers = ("relu_1", "relu_3") if name == "vgg19_mini" else ("relu_1", "fire2")
    content = random_pictures(33, 1, dtype=torch.float32) if task is Task.transfer else None
    style = random_pictures(34, 1, h=30, dtype=torch.float32) ** 2
    terms = terms_of_run(loss, task, layers)
    problem = Objective.of_pictures(network(name), terms, content, style)
    start = 0.5 + 0.1 * random_pictures(35, 2, dtype=torch.float32)
    first, *_, last = iterate(LBFGS(engine(problem), start, clamp=True), 12)
    assert torch.isfinite(last.images).all()
    assert (last.terms.sum(1) < 0.99 * first.terms.sum(1)).all()
