"""The frozen network: which features it returns, and how far it computes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nst.backbones.load import build, load_backbone
from nst.backbones.network import Backbone
from nst.config.layers import BACKBONES, VGG_BLOCKS, layers_of
from nst.errors import InputError


def test_a_convolution_that_was_asked_for_is_not_overwritten_by_its_relu(
    mini: Backbone, picture: Tensor
) -> None:
    """The trap of torchvision's in-place ReLUs."""
    features = mini(picture, ["conv_3", "relu_3", "conv_4", "conv_10"])
    assert features["conv_3"].min() < 0
    assert features["conv_4"].min() < 0
    torch.testing.assert_close(features["relu_3"], F.relu(features["conv_3"]))
    for name, each in features.items():
        torch.testing.assert_close(mini(picture, [name])[name], each)


def test_normalization_lives_inside(mini: Backbone, picture: Tensor) -> None:
    conv = mini.chain["conv_1"]
    expected = conv((picture - mini.mean) / mini.std)
    torch.testing.assert_close(mini(picture, ["conv_1"])["conv_1"], expected)
    assert mini(picture, ["input"])["input"] is picture


@pytest.mark.parametrize("name", BACKBONES)
def test_every_layer_can_be_asked_for(name: str) -> None:
    """On tensors without numbers: what counts is each layer and its shape."""
    every = ("input", *layers_of(name))
    features = build(name).to("meta")(torch.rand(1, 3, 64, 48, device="meta"), every)
    assert set(features) == set(every)
    if name in VGG_BLOCKS:
        sides = {f"pool_{b}": (64 >> b, 48 >> b) for b in range(1, 6)}
        assert {k: tuple(features[k].shape[2:]) for k in sides} == sides


def test_an_image_too_small_for_the_layer(mini: Backbone) -> None:
    with pytest.raises(InputError, match="16×8 pixels is too small for layer pool_4"):
        mini(torch.rand(1, 3, 8, 16), ["conv_16"])
    with pytest.raises(InputError, match="too small for layer conv_1"):
        load_backbone("squeezenet1_0", "random")(torch.rand(1, 3, 5, 30), ["relu_1"])


@pytest.mark.parametrize("name", BACKBONES)
def test_the_shortest_side_that_a_layer_takes(name: str) -> None:
    """One pixel less and it says so; tensors without numbers tell."""
    network = build(name).to("meta")
    for layer in layers_of(name):
        side = network.least_side(layer)
        assert network(torch.rand(1, 3, side, 64, device="meta"), [layer])[layer].shape[2] == 1
        with pytest.raises((InputError, RuntimeError)):  # torch's own, of no pixel at all
            network(torch.rand(1, 3, side - 1, 64, device="meta"), [layer])
    assert network.least_side("input") == 1


def test_in_another_precision_it_is_another_network(mini: Backbone, picture: Tensor) -> None:
    assert mini.in_precision(torch.float32) is mini
    half = mini.in_precision(torch.bfloat16)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in mini.parameters()} == {torch.float32}
    features, exact = half(picture, ["relu_3"])["relu_3"], mini(picture, ["relu_3"])["relu_3"]
    assert features.dtype == torch.bfloat16
    assert (features.float() - exact).norm() < 0.02 * exact.norm()
