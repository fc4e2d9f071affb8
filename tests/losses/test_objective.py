"""The weighted sum of losses, for images that never mix."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

import nst
from nst.backbones.network import Backbone
from nst.gradients.engine import by_autograd
from nst.losses.features import Features
from nst.losses.gram import Gram
from nst.losses.layer_loss import LayerLoss
from nst.losses.objective import Objective, compute_targets
from nst.losses.pixel_statistics import PixelStatistics
from nst.losses.terms import terms_from_config, weighted_terms
from nst.losses.total_variation import TotalVariation
from nst.losses.wasserstein2 import Wasserstein2
from tests.losses.cases import size_of, value


def test_terms_are_the_losses_times_their_weights(mini: Backbone, picture: Tensor) -> None:
    style = picture.flip(2)[..., :20]  # another size
    image = picture * 0.7 + 0.1
    spec = weighted_terms(
        {"conv_4": 0.5, "relu_6": 2.0},
        {"relu_1": 0.2},
        [(TotalVariation(), 11.0), (PixelStatistics(), 13.0)],
        content_weight=3.0,
        style_weight=7.0,
        content=Features("mean"),
        style=Gram("gatys"),
    )
    objective = Objective.of_pictures(mini, spec, picture, style)
    names = ("content/conv_4", "content/relu_6", "style/relu_1", "tv", "pixel_statistics")
    assert objective.names == names

    def loss(kind: LayerLoss, layer: str, imitated: Tensor) -> Tensor:
        f, p = mini(image, [layer])[layer], mini(imitated, [layer])[layer]
        return value(kind, f, p, size_of(f, 24 * 32))[0]

    expected = torch.stack(
        [
            3.0 * 0.5 * loss(Features("mean"), "conv_4", picture),
            3.0 * 2.0 * loss(Features("mean"), "relu_6", picture),
            7.0 * 0.2 * loss(Gram("gatys"), "relu_1", style),
            11.0 * loss(TotalVariation(), "input", style),
            13.0 * loss(PixelStatistics(), "input", style),
        ]
    )
    torch.testing.assert_close(objective(image)[0], expected)


@pytest.mark.parametrize("loss", ["balanced", "relative", "wasserstein2"])
def test_weights_carry_over_to_a_network_whose_layers_have_other_magnitudes(
    mini: Backbone, picture: Tensor, loss: str
) -> None:
    """As torchvision's VGGs and Caffe's do: each layer by a factor of its own."""
    scaled, before = copy.deepcopy(mini), 1.0
    for k, module in enumerate(scaled.chain.values()):
        if isinstance(module, nn.Conv2d):
            factor = 40.0 / (1 + k)  # of this layer's features
            module.weight.data *= factor / before
            module.bias.data *= factor  # type: ignore[union-attr]
            before = factor
    spec = terms_from_config(nst.compose("backbone=vgg19_mini", f"loss={loss}"))
    image, style = picture * 0.7 + 0.1, picture.flip(2)
    one, other = (
        by_autograd(Objective.of_pictures(network, spec, picture, style), image)
        for network in (mini, scaled)
    )
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-3, atol=1e-6)


def test_the_targets_themselves_cost_nothing(mini: Backbone, picture: Tensor) -> None:
    spec = weighted_terms({"conv_10": 1.0}, {"relu_9": 1.0})
    assert Objective.of_pictures(mini, spec, picture, picture)(picture).abs().max() == 0


def test_gradient_is_that_of_each_images_own_sum(mini: Backbone, picture: Tensor) -> None:
    spec = weighted_terms({"conv_2": 1.0}, {"relu_1": 1.0})
    objective = Objective.of_pictures(mini, spec, picture, picture)
    images = torch.cat((picture * 0.5, picture.flip(3)))
    terms, gradient = by_autograd(objective, images)
    assert terms.shape == (2, 2)
    assert not terms.requires_grad
    for i in range(2):
        alone_terms, alone = by_autograd(objective, images[i : i + 1])
        torch.testing.assert_close(terms[i : i + 1], alone_terms, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(gradient[i : i + 1], alone, rtol=1e-3, atol=1e-7)


def test_the_network_is_computed_no_further_than_needed(mini: Backbone, picture: Tensor) -> None:
    reached: list[str] = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: reached.append(name))
        for name, module in mini.chain.items()
        if name.startswith("conv")
    ]
    spec = weighted_terms({"conv_4": 1.0}, {"relu_2": 1.0})
    objective = Objective.of_pictures(mini, spec, picture, picture)
    reached.clear()
    objective(picture)
    for hook in hooks:
        hook.remove()
    assert reached == ["conv_1", "conv_2", "conv_3", "conv_4"]


def test_a_loss_on_pixels_that_counts_for_nothing_is_not_computed(
    mini: Backbone, picture: Tensor
) -> None:
    spec = weighted_terms({}, {}, [(TotalVariation(), 0.0), (PixelStatistics(), 0.0)])
    objective = Objective.of_pictures(mini, spec, style=picture)
    broken = torch.full_like(picture, torch.nan)
    assert objective(broken).tolist() == [[0.0, 0.0]]


def test_before_the_weights_every_loss_is_computed(mini: Backbone, picture: Tensor) -> None:
    def objective(a: float, b: float) -> Objective:
        pixels = [(TotalVariation(), b), (PixelStatistics(), a)]
        spec = weighted_terms(
            {"conv_4": a}, {"relu_1": 0.0}, pixels, content_weight=3.0, style_weight=b
        )
        return Objective.of_pictures(mini, spec, picture, picture.flip(2))

    image = picture * 0.7
    weighted, own = objective(2.0, 5.0)(image), objective(2.0, 5.0).unweighted()(image)
    torch.testing.assert_close(weighted, own * torch.tensor([6.0, 0.0, 5.0, 2.0]))
    assert (own > 0).all()
    assert torch.equal(objective(0.0, 0.0).unweighted()(image), own)


def test_a_target_that_is_missing_is_named(mini: Backbone, picture: Tensor) -> None:
    spec = weighted_terms({}, {"relu_1": 1.0})
    with pytest.raises(ValueError, match="layers of the style image, which is not given"):
        Objective.of_pictures(mini, spec, picture)


def test_targets_are_made_apart_and_exchanged(mini: Backbone, picture: Tensor) -> None:
    """As training does, with a new content for each batch and one style for all."""
    spec = weighted_terms({"conv_4": 1.0}, {"relu_3": 1.0})
    contents, style = (picture, picture.flip(3)), picture.flip(2)
    both = compute_targets(mini, spec.terms, contents[0], style)
    fresh = compute_targets(mini, spec.terms[:1], contents[1])
    exchanged = Objective(mini, spec, {**both, **fresh})
    expected = Objective.of_pictures(mini, spec, contents[1], style)
    assert torch.equal(exchanged(picture * 0.5), expected(picture * 0.5))


@pytest.mark.parametrize("style", [Gram(activation_shift=0.6), Wasserstein2()])
def test_each_image_may_have_its_own_targets_and_weights(
    style: LayerLoss, mini: Backbone, picture: Tensor
) -> None:
    contents = torch.cat((picture, picture.flip(2), picture * 0.5))
    styles = [picture.flip(3), picture[..., :20], picture[..., 4:, 4:]]  # of three sizes
    specs = [
        weighted_terms(
            {"conv_4": a},
            {"relu_1": 1.0, "relu_3": b},
            [(TotalVariation(), e), (PixelStatistics(), c)],
            content_weight=c,
            style_weight=d,
            style=style,
        )
        for a, b, c, d, e in [(1, 2, 3, 4, 5), (0.5, 0, 1, 100, 0), (1, 1, 0, 1e-3, 0.1)]
    ]
    images = torch.cat((picture * 0.7, picture * 0.9, 1 - picture))
    together = by_autograd(Objective.of_pictures(mini, specs, contents, styles), images)
    for i, spec in enumerate(specs):
        objective = Objective.of_pictures(mini, spec, contents[i : i + 1], styles[i])
        alone = by_autograd(objective, images[i : i + 1])
        for batch, expected in zip(together, alone, strict=True):
            torch.testing.assert_close(batch[i : i + 1], expected, rtol=1e-3, atol=1e-6)


def test_images_of_one_batch_share_layers_and_losses(mini: Backbone, picture: Tensor) -> None:
    own = weighted_terms({"conv_4": 1.0})
    for other in (
        weighted_terms({"conv_2": 1.0}),
        weighted_terms({"conv_4": 1.0}, content=Features("sum")),
    ):
        with pytest.raises(ValueError, match="weights only"):
            Objective.of_pictures(mini, [own, other], picture)
