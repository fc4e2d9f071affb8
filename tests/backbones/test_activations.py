"""Mean activations of 1, with the network's function kept."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.backbones.activations import rescale_channels
from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.config import config_hash
from nst.config.layers import layers_of
from nst.gradients.chain import ChainGradient
from nst.gradients.engine import by_autograd
from nst.losses.objective import Objective
from nst.losses.terms import weighted_terms
from nst.pictures.samples import calibration_images
from nst.runs.transfer import Transfer
from tests.conftest import Compose


def uneven(name: str, pooling: str) -> Backbone:
    """A network whose channels differ in size by orders of magnitude."""
    backbone = load_backbone(name, "random", pooling)
    generator = torch.Generator().manual_seed(1)
    for conv in (m for m in backbone.modules() if isinstance(m, nn.Conv2d)):
        factors = torch.randn(conv.out_channels, generator=generator).exp()
        conv.weight.data *= factors.view(-1, 1, 1, 1)
        assert conv.bias is not None
        conv.bias.data = 0.3 * torch.rand(conv.out_channels, generator=generator) * factors
    return backbone


NETWORKS = pytest.mark.parametrize("name", ["vgg19_mini", "squeezenet1_0"])
POOLINGS = pytest.mark.parametrize("pooling", ["max", "avg", "blur"])


@NETWORKS
@POOLINGS
@pytest.mark.slow
def test_means_are_1_and_the_network_computes_the_same(name: str, pooling: str) -> None:
    """Every channel of every layer is what it was, over its own mean."""
    layers, images = layers_of(name), calibration_images().double()
    backbone = uneven(name, pooling).double()
    before = backbone(images, layers)
    rescale_channels(backbone, images)
    after = backbone(images, layers)
    for layer in layers:
        if layer.startswith(("conv", "fire")):
            means = F.relu(before[layer]).mean((0, 2, 3))
            alive = means > 0.05 * means.mean()  # well above what counts as dead
            assert alive.double().mean() > 0.5
            ones = F.relu(after[layer]).mean((0, 2, 3))[alive]
            torch.testing.assert_close(ones, torch.ones_like(ones))
        expected = before[layer] / means.view(1, -1, 1, 1)
        torch.testing.assert_close(after[layer][:, alive], expected[:, alive])


def test_a_channel_that_is_dead_on_these_pictures_gets_its_layers_factor() -> None:
    """Another picture may wake it, and it must not drown the others then."""
    images, backbone = calibration_images().double(), uneven("vgg19_mini", "avg").double()
    bias = backbone.get_parameter("chain.conv_3.bias")
    bias.data[5] = -1e4
    before = backbone(images, ["relu_3", "relu_4"])
    means = {layer: features.mean((0, 2, 3)) for layer, features in before.items()}
    assert means["relu_3"][5] == 0
    rescale_channels(backbone, images)
    assert bias[5].item() == pytest.approx(-1e4 / means["relu_3"].mean().item())
    alive = means["relu_4"] > 0.05 * means["relu_4"].mean()
    after = backbone(images, ["relu_4"])["relu_4"][:, alive]
    expected = before["relu_4"] / means["relu_4"].view(1, -1, 1, 1)
    torch.testing.assert_close(after, expected[:, alive])


@POOLINGS
def test_the_written_out_gradient_is_autograds(pooling: str, picture: Tensor) -> None:
    backbone = load_backbone("vgg19_mini", "shipped", pooling, normalize=True)
    spec = weighted_terms({"relu_4": 1.0}, {"relu_1": 1.0, "relu_5": 1.0})
    objective = Objective.of_pictures(backbone, spec, picture, picture.flip(1))
    terms, gradient = ChainGradient(objective)(picture.flip(2))
    expected, exact = by_autograd(objective, picture.flip(2))
    torch.testing.assert_close(terms, expected, rtol=1e-4, atol=1e-6)
    assert (gradient - exact).norm() < 1e-3 * exact.norm()


def test_random_weights_are_so_already() -> None:
    plain, rescaled = (
        load_backbone("vgg19_mini", "random", normalize=normalize) for normalize in (False, True)
    )
    for a, b in zip(plain.parameters(), rescaled.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_the_config_asks_for_it_and_its_hash_says_so(composed: Compose) -> None:
    plain, rescaled = composed(), composed("backbone.normalize_activations=true")
    assert config_hash(plain) != config_hash(rescaled)
    networks = [Transfer(cfg).backbone for cfg in (plain, rescaled)]
    assert networks[0].weights_record == networks[1].weights_record  # the file is the same
    images = calibration_images()
    means = [n(images, ["relu_4"])["relu_4"].mean((0, 2, 3)) for n in networks]
    torch.testing.assert_close(means[1], torch.ones_like(means[1]), rtol=1e-3, atol=1e-3)
    assert (means[0] - 1).abs().max() > 0.1
