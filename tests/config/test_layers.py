from __future__ import annotations

import pytest
import torch

from nst.backbones.load import load_backbone
from nst.config import layers
from nst.errors import InputError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv_1", "conv_1"),
        ("relu_16", "relu_16"),
        ("conv1_1", "conv_1"),
        ("conv4_2", "conv_10"),
        ("relu4_2", "relu_10"),
        ("relu5_1", "relu_13"),
        ("conv5_4", "conv_16"),
        ("block4_conv2", "relu_10"),  # Keras's are after the ReLU
        ("block5_conv4", "relu_16"),
        ("block3_pool", "pool_3"),
        ("pool3", "pool_3"),
        ("input", "input"),
    ],
)
def test_names_of_vgg19(name: str, expected: str) -> None:
    assert layers.canonical(name, "vgg19") == expected
    assert layers.canonical(name, "vgg19_mini") == expected


def test_vgg16_counts_its_own_blocks() -> None:
    assert layers.canonical("conv4_2", "vgg16") == "conv_9"
    assert layers.canonical("block5_conv3", "vgg16") == "relu_13"
    with pytest.raises(InputError, match="vgg16 has no layer 'conv_14'"):
        layers.canonical("conv_14", "vgg16")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("block5_conv4", "block5_conv3"),
        ("conv5_4", "conv5_3"),
        ("relu3_4", "relu3_3"),
        ("conv_16", "conv_13"),
        ("relu_14", "relu_13"),
    ],
)
def test_a_layer_of_vgg19_that_vgg16_lacks_has_a_nearest(name: str, nearest: str) -> None:
    with pytest.raises(InputError) as caught:
        layers.canonical(name, "vgg16")
    message = str(caught.value)
    assert message.startswith(
        f"vgg16 has no layer '{name}'; the nearest is {nearest}; it has input"
    )
    assert "\n" not in message
    assert layers.canonical(nearest, "vgg16") in layers.layers_of("vgg16")


def test_what_no_network_has_or_another_kind_has_no_nearest() -> None:
    for name, backbone in (("conv_17", "vgg19"), ("relu4_2", "squeezenet1_0"), ("fire2", "vgg16")):
        with pytest.raises(InputError) as caught:
            layers.canonical(name, backbone)
        assert "nearest" not in str(caught.value)


def test_every_convolution_has_all_its_names() -> None:
    known = layers.aliases("vgg19")
    assert {known[f"conv_{k}"] for k in range(1, 17)} == {f"conv_{k}" for k in range(1, 17)}
    assert len([n for n in known if n.startswith("block") and "conv" in n]) == 16
    assert set(known.values()) == {"input", *layers.layers_of("vgg19")}


def test_squeezenet_has_its_own_names() -> None:
    assert layers.canonical("fire9", "squeezenet1_0") == "fire9"
    with pytest.raises(InputError, match="fire2, fire3"):
        layers.canonical("relu4_2", "squeezenet1_0")


def test_unknown_name_lists_the_known_and_the_closest() -> None:
    with pytest.raises(InputError) as caught:
        layers.canonical("conv4_22", "vgg19")
    message = str(caught.value)
    assert "did you mean conv4_2?" in message
    for part in ("conv_1 … conv_16", "relu_1 … relu_16", "block5_conv4", "input"):
        assert part in message


def test_lists() -> None:
    assert layers.resolve("conv_4", "vgg19") == ("conv_4",)
    assert layers.resolve(["relu1_1", "conv_2"], "vgg19") == ("relu_1", "conv_2")
    with pytest.raises(InputError, match="named twice"):
        layers.resolve(["relu4_2", "relu_10"], "vgg19")
    with pytest.raises(InputError, match="no layer is named"):
        layers.resolve([], "vgg19")
    with pytest.raises(InputError, match="unknown backbone"):
        layers.layers_of("resnet50")


@pytest.mark.parametrize(
    ("backbone", "name", "pixels"),
    [
        ("vgg19", "input", 1),
        ("vgg19", "conv_1", 1),
        ("vgg19", "conv_2", 1),
        ("vgg19", "pool_1", 2),
        ("vgg19", "conv_3", 2),
        ("vgg19", "relu3_1", 4),
        ("vgg19", "block4_conv2", 8),
        ("vgg19_mini", "conv_16", 16),
        ("vgg19", "pool5", 32),
        ("vgg16", "conv_13", 16),
        ("vgg16", "conv_8", 8),
        ("squeezenet1_0", "input", 1),
        ("squeezenet1_0", "conv_1", 2),
        ("squeezenet1_0", "pool_1", 4),
        ("squeezenet1_0", "fire9", 16),
    ],
)
def test_stride(backbone: str, name: str, pixels: int) -> None:
    assert layers.stride(name, backbone) == pixels


@pytest.mark.parametrize("backbone", ["vgg16_mini", "vgg19_mini", "squeezenet1_0"])
def test_strides_are_those_of_the_networks_own_maps(backbone: str) -> None:
    side, border = 192, 3  # SqueezeNet's first convolution has no padding
    network = load_backbone(backbone, "random", "avg")
    names = layers.layers_of(backbone)
    with torch.no_grad():
        features = network(torch.zeros(1, 3, side, side), names)
    for name in names:
        assert abs(features[name].shape[-1] - side / layers.stride(name, backbone)) <= border, name


def test_a_stride_is_asked_of_a_layer_that_there_is() -> None:
    with pytest.raises(InputError, match="no layer 'conv_17'"):
        layers.stride("conv_17", "vgg19")
