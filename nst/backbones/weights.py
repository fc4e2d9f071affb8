"""Files of weights: where they are, what they hold, and how they fill a network."""

from __future__ import annotations

import os
import urllib.error
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from nst.backbones.network import Backbone
from nst.errors import InputError

SHIPPED = {"vgg19_mini": "vgg19_mini.safetensors"}
"""Weights that come with the package."""

_IMAGENET = {
    "vgg19": "VGG19_Weights.IMAGENET1K_V1",
    "vgg16": "VGG16_Weights.IMAGENET1K_V1",
    "squeezenet1_0": "SqueezeNet1_0_Weights.IMAGENET1K_V1",
}


def weights_path(name: str, weights: str) -> Path:
    """The file that holds these weights, downloaded first if they are torchvision's.

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
    path = Path(weights).expanduser()
    if not path.is_file():
        raise InputError(
            f"backbone.weights={weights}: no such file; give a state dict's path, "
            "or one of imagenet, random, shipped"
        )
    return path


def imagenet_url(name: str) -> str:
    """Where torchvision keeps its ImageNet weights of a backbone."""
    from torchvision.models import get_weight

    return str(get_weight(_IMAGENET[name]).url)


def _imagenet_file(name: str) -> Path:
    """torchvision's own file, from torch's cache or downloaded into it with a progress bar."""
    if name not in _IMAGENET:
        raise InputError(
            f"there are no ImageNet weights of {name}; use backbone.weights=shipped, random or "
            f"a path, or a backbone that has them: {', '.join(_IMAGENET)}"
        )
    url = imagenet_url(name)
    filename = os.path.basename(url)
    path = Path(torch.hub.get_dir()) / "checkpoints" / filename
    if path.is_file():
        return path
    prefix = Path(filename).stem.rpartition("-")[2]  # torchvision names files NAME-SHA256[:8].pth
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=prefix, progress=True)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"could not download {filename} from {url} ({error}); fetch it elsewhere and put it "
            f"at {path}, or give its path as backbone.weights=PATH, or work offline with "
            "backbone=vgg19_mini"
        ) from error
    return path


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a state dict, never executing what a file holds.

    Raises:
        InputError: it is no state dict, or cannot be read.
    """
    try:
        if path.suffix == ".safetensors":
            state: object = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise many kinds for one cause
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is no readable state dict: {reason}") from error
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f"{path} holds no state dict (a mapping of names to tensors)")
    return dict(state)


def _torchvision_keys(backbone: Backbone) -> dict[str, str]:
    """{features-only key: the chain's own}; module i of a chain is ``features.i``."""
    return {
        f"{i}.{key}": f"{name}.{key}"
        for i, (name, module) in enumerate(backbone.chain.items())
        for key, _ in module.named_parameters()
    }


def fill(backbone: Backbone, state: Mapping[str, Tensor], path: Path) -> None:
    """Copy a state dict in, whole or features only, checking it key by key.

    Raises:
        InputError: a key is missing or unknown, or its values do not fit or are not finite.
    """
    if any(key.startswith("features.") for key in state):
        state = {
            key.removeprefix("features."): value
            for key, value in state.items()
            if key.startswith("features.")
        }
    names = _torchvision_keys(backbone)
    expected = dict(backbone.chain.named_parameters())
    for key, name in names.items():
        parameter = expected[name]
        if key not in state:
            raise InputError(f"{path} does not fit {backbone.name}: it has no features.{key}")
        if state[key].shape != parameter.shape:
            raise InputError(
                f"{path} does not fit {backbone.name}: features.{key} has shape "
                f"{tuple(state[key].shape)}, expected {tuple(parameter.shape)}"
            )
        if not torch.isfinite(state[key].float()).all():
            raise InputError(f"{path}: features.{key} holds NaN or infinite values")
    extra = sorted(set(state) - set(names))
    if extra:
        raise InputError(
            f"{path} does not fit {backbone.name}: it also has features.{extra[0]}"
            + (f" and {len(extra) - 1} more" if len(extra) > 1 else "")
        )
    values = {name: state[key].to(torch.float32) for key, name in names.items()}
    backbone.chain.load_state_dict(values, assign=True)
