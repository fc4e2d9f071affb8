"""Layer names of every backbone, and the aliases under which papers and courses know them.

One position of a VGG has several names in use. All are accepted; one is canonical:

==================  ============================================  =========
name                meaning                                       canonical
==================  ============================================  =========
``input``           the pixels, RGB in [0, 1] (layer 0)           yes
``conv_k``          k-th convolution, **before** its ReLU         yes
``relu_k``          the same, after its ReLU                      yes
``pool_b``          pooling that ends block b                     yes
``convb_i``         i-th convolution of block b, before ReLU      ``conv_k``
``relub_i``         the same, after ReLU                          ``relu_k``
``blockb_convi``    Keras's name: **after** ReLU                  ``relu_k``
``poolb``           = ``blockb_pool``                             ``pool_b``
``conv_i-j``        a range, as ``conv_1-5`` (``relu_i-j`` too)   each one
==================  ============================================  =========

SqueezeNet keeps its own names: ``conv_1``, ``relu_1``, ``pool_1``, ``fire2`` … ``fire9``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nst.errors import InputError, did_you_mean

VGG_BLOCKS: dict[str, tuple[int, ...]] = {
    "vgg19": (2, 2, 4, 4, 4),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg16_mini": (2, 2, 3, 3, 3),
    "vgg19_mini": (2, 2, 4, 4, 4),
}
"""Convolutions per block (Simonyan & Zisserman 2015, table 1, columns E and D)."""

SQUEEZENET_LAYERS: tuple[str, ...] = (
    *("conv_1", "relu_1", "pool_1", "fire2", "fire3", "fire4", "pool_4"),
    *("fire5", "fire6", "fire7", "fire8", "pool_8", "fire9"),
)
"""SqueezeNet 1.0 (Iandola et al. 2016, table 1); a fire module's output is after its ReLUs."""

BACKBONES: tuple[str, ...] = (*VGG_BLOCKS, "squeezenet1_0")


def layers_of(backbone: str) -> tuple[str, ...]:
    """Canonical layer names of a backbone in order of computation, without ``input``.

    Raises:
        InputError: an unknown backbone.
    """
    if backbone == "squeezenet1_0":
        return SQUEEZENET_LAYERS
    if backbone not in VGG_BLOCKS:
        raise InputError(f"unknown backbone {backbone!r}; known: {', '.join(BACKBONES)}")
    names: list[str] = []
    k = 0
    for b, convolutions in enumerate(VGG_BLOCKS[backbone], start=1):
        for _ in range(convolutions):
            k += 1
            names += [f"conv_{k}", f"relu_{k}"]
        names.append(f"pool_{b}")
    return tuple(names)


def aliases(backbone: str) -> dict[str, str]:
    """Every accepted name of a backbone, mapped to its canonical name.

    >>> aliases("vgg19")["conv4_2"], aliases("vgg19")["block4_conv2"]
    ('conv_10', 'relu_10')
    """
    names = {name: name for name in ("input", *layers_of(backbone))}
    if backbone not in VGG_BLOCKS:
        return names
    k = 0
    for b, convolutions in enumerate(VGG_BLOCKS[backbone], start=1):
        for i in range(1, convolutions + 1):
            k += 1
            names[f"conv{b}_{i}"] = f"conv_{k}"
            names[f"relu{b}_{i}"] = names[f"block{b}_conv{i}"] = f"relu_{k}"
        names[f"pool{b}"] = names[f"block{b}_pool"] = f"pool_{b}"
    return names


def canonical(name: str, backbone: str) -> str:
    """Canonical name of one layer.

    >>> canonical("relu4_2", "vgg19")
    'relu_10'

    Raises:
        InputError: the backbone has no such layer; the message lists those it has, and names the
            nearest one where another VGG has such a layer.
    """
    names = aliases(backbone)
    if name not in names:
        hint = _nearest(str(name), backbone) or did_you_mean(str(name), names)
        raise InputError(f"{backbone} has no layer {name!r}{hint}; it has {summary(backbone)}")
    return names[name]


def _nearest(name: str, backbone: str) -> str:
    """A hint at the last layer of the same block where only another VGG has so many.

    >>> _nearest("block5_conv4", "vgg16"), _nearest("conv_16", "vgg16")
    ('; the nearest is block5_conv3', '; the nearest is conv_13')
    """
    if not any(name in aliases(other) for other in VGG_BLOCKS):
        return ""
    stem = name.rstrip("0123456789")
    members = [n for n in aliases(backbone) if n.rstrip("0123456789") == stem]
    last = max(members, key=lambda n: int(n.removeprefix(stem)), default="")
    return f"; the nearest is {last}" if last else ""


def expand(name: str) -> list[str]:
    """A range of convolutions as its members; any other name alone.

    >>> expand("conv_5-8"), expand("relu1_1")
    (['conv_5', 'conv_6', 'conv_7', 'conv_8'], ['relu1_1'])

    Raises:
        InputError: a range that does not run upwards.
    """
    match = re.fullmatch(r"(conv_|relu_)(\d+)-(\d+)", name)
    if not match:
        return [name]
    stem, first, last = match[1], int(match[2]), int(match[3])
    if first >= last or last > 99:
        raise InputError(f"layer range {name!r} must run upwards, as conv_1-5")
    return [f"{stem}{k}" for k in range(first, last + 1)]


def resolve(names: str | Sequence[str], backbone: str) -> tuple[str, ...]:
    """Canonical names of a layer, a range or a list of them, in the order given.

    Raises:
        InputError: an unknown name, an empty list, or one layer named twice.
    """
    entries = [names] if isinstance(names, str) else list(names)
    listed = [layer for name in entries for layer in expand(str(name))]
    if not listed:
        raise InputError(f"no layer is named; {backbone} has {summary(backbone)}")
    layers = tuple(canonical(name, backbone) for name in listed)
    twice = [name for i, name in enumerate(layers) if name in layers[:i]]
    if twice:
        raise InputError(f"layer {twice[0]} is named twice in {', '.join(map(str, listed))}")
    return layers


def depth(name: str, backbone: str) -> int:
    """How many convolutions (of SqueezeNet: fire modules, too) lie before a layer, its own counted.

    >>> depth("relu4_2", "vgg19"), depth("pool_2", "vgg19"), depth("input", "vgg19")
    (10, 4, 0)
    """
    return sum(each.startswith(("conv", "fire")) for each in _up_to(name, backbone))


def _up_to(name: str, backbone: str) -> tuple[str, ...]:
    """The layers before a layer and itself; none for the pixels."""
    layer, layers = canonical(name, backbone), layers_of(backbone)
    return () if layer == "input" else layers[: layers.index(layer) + 1]


def stride(name: str, backbone: str) -> int:
    """How many pixels apart two neighbouring positions of a layer are.

    >>> stride("relu4_2", "vgg19"), stride("pool_1", "vgg16"), stride("fire4", "squeezenet1_0")
    (8, 2, 4)
    """
    before = _up_to(name, backbone)
    stem = 2 if before and backbone not in VGG_BLOCKS else 1  # SqueezeNet's first layer halves, too
    return int(stem * 2 ** sum(each.startswith("pool") for each in before))


def summary(backbone: str) -> str:
    """The names a backbone knows, short enough for an error message."""
    if backbone not in VGG_BLOCKS:
        return ", ".join(("input", *layers_of(backbone)))
    blocks = VGG_BLOCKS[backbone]
    n, last = sum(blocks), f"{len(blocks)}_{blocks[-1]}"
    return (
        f"input, conv_1 … conv_{n} (before ReLU), relu_1 … relu_{n} (after), "
        f"pool_1 … pool_{len(blocks)}, by block conv1_1 … conv{last} and relu1_1 … relu{last}, "
        f"and Keras's block1_conv1 … block{last.replace('_', '_conv')} (after ReLU)"
    )
