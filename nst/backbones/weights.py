"""Weights by name: which file has them, and how a state dict fills a network."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from nst.backbones.files.download import digest_prefix, downloaded
from nst.backbones.network import Backbone
from nst.config.samples import existing_file
from nst.errors import InputError

SHIPPED = {name: f"{name}.safetensors" for name in ("vgg16_mini", "vgg19_mini")}
"""Weights that come with the package."""

_IMAGENET = {
    "vgg19": "VGG19_Weights.IMAGENET1K_V1",
    "vgg16": "VGG16_Weights.IMAGENET1K_V1",
    "squeezenet1_0": "SqueezeNet1_0_Weights.IMAGENET1K_V1",
}

CAFFE_URLS = {
    "vgg19": "https://web.eecs.umich.edu/~justincj/models/vgg19-d01eb7cb.pth",
    "vgg16": "https://web.eecs.umich.edu/~justincj/models/vgg16-00b39a1b.pth",
}
"""J. Johnson's conversions of the networks that Simonyan & Zisserman published for Caffe."""


def weights_path(name: str, weights: str) -> Path:
    """The file that holds these weights, downloaded first if they are torchvision's or Caffe's.

    Raises:
        InputError: the backbone has no such weights, no such file exists, or a download failed.
    """
    if weights == "shipped":
        if name not in SHIPPED:
            raise InputError(
                f"no weights of {name} ship with the package; use backbone.weights=imagenet, "
                f"random or the path of a state dict, or backbone={', '.join(SHIPPED)}"
            )
        return Path(str(resources.files("nst.backbones") / "shipped" / SHIPPED[name]))
    if weights == "imagenet":
        return _imagenet_file(name)
    if weights == "caffe":
        return _caffe_file(name)
    path = existing_file(weights)
    if path is None:
        raise InputError(
            f"backbone.weights={weights}: no such file; give a state dict's path, "
            "or one of imagenet, caffe, random, shipped"
        )
    return path


def imagenet_url(name: str) -> str:
    """Where torchvision keeps its ImageNet weights of a backbone."""
    from torchvision.models import get_weight

    return str(get_weight(_IMAGENET[name]).url)


def _imagenet_file(name: str) -> Path:
    """torchvision's own file."""
    if name not in _IMAGENET:
        raise InputError(
            f"there are no ImageNet weights of {name}; use backbone.weights=shipped, random or "
            f"a path, or a backbone that has them: {', '.join(_IMAGENET)}"
        )
    return downloaded(
        imagenet_url(name),
        "give its path as backbone.weights=PATH, or work offline with backbone=vgg16_mini",
    )


def _caffe_file(name: str) -> Path:
    """J. Johnson's file of a VGG as it was published for Caffe."""
    if name not in CAFFE_URLS:
        raise InputError(
            f"there are no Caffe weights of {name}; leave backbone.weights as it is, or take a "
            f"backbone that has them: {', '.join(CAFFE_URLS)}"
        )
    return downloaded(
        CAFFE_URLS[name],
        "give its path as backbone.weights=PATH with backbone.input=caffe, or take torchvision's "
        f"network with backbone={name}, or work offline with backbone=vgg16_mini",
    )


def is_of_caffe(sha256: str) -> bool:
    """Whether a file with this digest is one of J. Johnson's conversions."""
    return sha256.startswith(tuple(digest_prefix(url) for url in CAFFE_URLS.values()))


def _torchvision_keys(backbone: Backbone) -> dict[str, str]:
    """{features-only key: the chain's own}; module i of a chain is ``features.i``."""
    return {
        f"{i}.{key}": f"{name}.{key}"
        for i, (name, module) in enumerate(backbone.chain.items())
        for key, _ in module.named_parameters()
    }


def torchvision_state(backbone: Backbone) -> dict[str, Tensor]:
    """What :func:`fill` takes: the parameters under torchvision's keys, features only."""
    own = backbone.chain.state_dict()
    return {key: own[name].detach().cpu() for key, name in _torchvision_keys(backbone).items()}


def features_only(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """A state dict of the features, whose keys have lost that word; one without it as it is."""
    marked = {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
    return marked or state


def fits(backbone: Backbone, state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict has the features of a backbone, by their keys and shapes."""
    parameters = dict(backbone.chain.named_parameters())
    own = {key: parameters[name].shape for key, name in _torchvision_keys(backbone).items()}
    return own == {key: value.shape for key, value in features_only(state).items()}


def _check_shapes(backbone: Backbone, state: Mapping[str, Tensor], path: Path) -> None:
    """Every key that a backbone has, in its shape, and no other."""
    names, expected = _torchvision_keys(backbone), dict(backbone.chain.named_parameters())
    for key, name in names.items():
        if key not in state:
            raise InputError(f"{path} does not fit {backbone.name}: it has no features.{key}")
        if state[key].shape != expected[name].shape:
            raise InputError(
                f"{path} does not fit {backbone.name}: features.{key} has shape "
                f"{tuple(state[key].shape)}, expected {tuple(expected[name].shape)}"
            )
    extra = sorted(set(state) - set(names))
    if extra:
        raise InputError(
            f"{path} does not fit {backbone.name}: it also has features.{extra[0]}"
            + (f" and {len(extra) - 1} more" if len(extra) > 1 else "")
        )


def _check_values(where: str, values: Tensor) -> None:
    """Numbers that are finite as float32."""
    kind = str(values.dtype).removeprefix("torch.")
    if not values.is_floating_point():
        raise InputError(f"{where} {kind}, expected floating-point numbers")
    if not torch.isfinite(values.float()).all():
        ends = {"float16": " (float16 ends at 65504)", "float64": " beyond float32's range"}
        raise InputError(f"{where} NaN or infinite values{ends.get(kind, '')}")


def fill(backbone: Backbone, state: Mapping[str, Tensor], path: Path) -> None:
    """Copy a state dict in, whole or features only, checking it key by key.

    The first filters of a network that takes Caffe's pixels are turned from BGR to RGB.

    Raises:
        InputError: a key is missing or unknown, or its values do not fit or are not finite.
    """
    state = features_only(state)
    names = _torchvision_keys(backbone)
    _check_shapes(backbone, state, path)
    for key in names:
        _check_values(f"{path}: features.{key} holds", state[key])
    values = {name: state[key].to(torch.float32) for key, name in names.items()}
    if backbone.pixel_format == "caffe":
        first = f"{next(iter(backbone.chain))}.weight"
        values[first] = values[first].flip(1)
    backbone.chain.load_state_dict(values, assign=True)
