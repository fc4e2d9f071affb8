"""Frozen feature extractors. Images go in as RGB in [0, 1]; normalisation lives inside.

A backbone is a chain of named stages. It computes up to the deepest layer asked for and no
further, and an in-place ReLU never overwrites a convolution that was asked for.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import logging
import math
import os
import urllib.error
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nst import dictionary
from nst.errors import InputError
from nst.layers import BACKBONES, VGG_BLOCKS, stages
from nst.pooling import POOLS, BlurPool2d
from nst.procedural import training_images
from nst.samples import calibration_images
from nst.winograd import Convolutions

log = logging.getLogger(__name__)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_WIDTHS = {
    "vgg19": (64, 128, 256, 512, 512),
    "vgg16": (64, 128, 256, 512, 512),
    "vgg19_mini": (16, 32, 64, 128, 128),
}
_SHIPPED = {"vgg19_mini": "vgg19_mini.safetensors"}
_IMAGENET = {
    "vgg19": "VGG19_Weights.IMAGENET1K_V1",
    "vgg16": "VGG16_Weights.IMAGENET1K_V1",
    "squeezenet1_0": "SqueezeNet1_0_Weights.IMAGENET1K_V1",
}


@dataclass(frozen=True)
class WeightsRecord:
    """Which weights a backbone holds: ``shipped``, ``imagenet``, ``random`` or a file's path.

    ``sha256`` is of the file; for random weights, of the parameters' bytes.
    """

    name: str
    sha256: str


class Backbone(nn.Module):
    """A frozen chain of named stages that returns the features it is asked for."""

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, chain: Mapping[str, nn.Module]):
        super().__init__()
        self.name = name
        self.weights = WeightsRecord("none", "")
        self.chain = nn.ModuleDict(dict(chain))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(
        self,
        images: Tensor,
        layers: Iterable[str],
        convolutions: Convolutions | None = None,
    ) -> dict[str, Tensor]:
        """Features of the layers asked for.

        Args:
            images: (N, 3, H, W), RGB in [0, 1]
            layers: canonical names (see :mod:`nst.layers`)
            convolutions: that may make some of them, where no gradient is wanted

        Returns:
            {layer: (N, C, H', W')}; ``input`` is the images themselves.

        Raises:
            InputError: the image is too small for the deepest layer.
        """
        wanted = set(layers)
        found = {"input": images} if "input" in wanted else {}
        missing = wanted - {"input"}
        x = self.normalise(images)
        previous = "input"
        for name, stage in self.chain.items():
            if not missing:
                break
            if isinstance(stage, nn.ReLU):
                x = F.relu(x, inplace=previous not in wanted)
            else:
                self.require_room(name, x, images)
                made = convolutions.forward(stage, x) if convolutions else None
                x = stage(x) if made is None else made
            if name in missing:
                found[name] = x
                missing.remove(name)
            previous = name
        return found

    def normalise(self, images: Tensor) -> Tensor:
        """What the first convolution takes: (N, 3, H, W), channels last, in the weights' dtype."""
        x = (images - self.mean) / self.std
        dtype = next(self.chain.parameters()).dtype
        return x.to(dtype, memory_format=torch.channels_last)

    def require_room(self, name: str, x: Tensor, images: Tensor) -> None:
        """Refuse an input x (N, C, H, W) too small for a stage, naming the images' own size."""
        if min(x.shape[2:]) < _smallest_side(self.chain[name]):
            h, w = images.shape[2:]
            raise InputError(
                f"an image of {w}×{h} pixels is too small for layer {name} of {self.name} "
                f"and what follows it; use a larger size or earlier layers"
            )

    def in_precision(self, dtype: torch.dtype) -> Backbone:
        """The same network with weights and activations of another dtype; itself if of this one."""
        if next(self.chain.parameters()).dtype == dtype:
            return self
        twin = copy.deepcopy(self)
        twin.chain.to(dtype)  # not the mean and the std: pixels are normalised as they are
        return twin


def _smallest_side(stage: nn.Module) -> int:
    """Shortest side of an input that a stage can take."""
    if isinstance(stage, nn.Conv2d):
        return stage.kernel_size[0] - 2 * int(stage.padding[0])
    return 2 if isinstance(stage, POOLS) else 1


def _pool(kind: str, kernel: int = 2, ceil_mode: bool = False) -> nn.Module:
    """One that halves the size; kernel and ceil_mode are for ``max`` and ``avg``."""
    if kind == "blur":
        return BlurPool2d()
    if kind == "max":
        return nn.MaxPool2d(kernel, stride=2, ceil_mode=ceil_mode)
    return nn.AvgPool2d(kernel, stride=2, ceil_mode=ceil_mode)


def _vgg_chain(name: str, pooling: str) -> OrderedDict[str, nn.Module]:
    """VGG (Simonyan & Zisserman 2015): 3×3 convolutions with zero padding, ReLU, 2×2 pooling."""
    chain: OrderedDict[str, nn.Module] = OrderedDict()
    k, channels = 0, 3
    for b, (count, width) in enumerate(zip(VGG_BLOCKS[name], _WIDTHS[name], strict=True), 1):
        for _ in range(count):
            k += 1
            chain[f"conv_{k}"] = nn.Conv2d(channels, width, 3, padding=1, device="meta")
            chain[f"relu_{k}"] = nn.ReLU()
            channels = width
        chain[f"pool_{b}"] = _pool(pooling)
    return chain


def _squeezenet_chain(pooling: str) -> OrderedDict[str, nn.Module]:
    """torchvision's SqueezeNet 1.0, its modules under the paper's names."""
    from torchvision.models import squeezenet1_0

    with torch.random.fork_rng(devices=[]):  # its default weights are drawn and thrown away
        features = squeezenet1_0(weights=None).features
    chain = OrderedDict(zip(stages("squeezenet1_0"), features, strict=True))
    for name in chain:
        if name.startswith("pool"):
            chain[name] = _pool(pooling, kernel=3, ceil_mode=True)
    return chain


def build(name: str, pooling: str = "max") -> Backbone:
    """A backbone whose weights are yet to be filled in (those of a VGG have no memory yet).

    Raises:
        InputError: an unknown name.
    """
    if name not in BACKBONES:
        raise InputError(f"unknown backbone {name!r}; known: {', '.join(BACKBONES)}")
    chain = _squeezenet_chain(pooling) if name == "squeezenet1_0" else _vgg_chain(name, pooling)
    return Backbone(name, chain)


def load_backbone(
    name: str,
    weights: str = "imagenet",
    pooling: str = "max",
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Backbone:
    """A frozen backbone, ready to use.

    Args:
        name: one of :data:`nst.layers.BACKBONES`
        weights: ``shipped`` (in the package), ``imagenet`` (torchvision's download), ``random``,
            ``dictionary`` (training-free, see :mod:`nst.dictionary`; VGGs), or the path of a
            torchvision state dict (whole or features only) or safetensors file
        pooling: ``max``, ``avg`` or ``blur`` (:mod:`nst.pooling`)
        seed: of random and dictionary weights
        device: where it lives

    Raises:
        InputError: no such weights for this backbone, a file that is missing or does not fit, or
            a download that failed.
    """
    backbone = build(name, pooling)
    if weights == "random":
        _randomise(backbone, seed)
        backbone.weights = WeightsRecord("random", _parameters_sha256(backbone))
    elif weights == "dictionary":
        _learn_dictionary(backbone, seed)
        backbone.weights = WeightsRecord("dictionary", _parameters_sha256(backbone))
    else:
        path = weights_path(name, weights)
        _fill(backbone, _read_state(path), path)
        label = weights if weights in ("shipped", "imagenet") else str(path)
        with path.open("rb") as file:
            backbone.weights = WeightsRecord(label, hashlib.file_digest(file, "sha256").hexdigest())
    for parameter in backbone.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return backbone.to(device).requires_grad_(False)


def weights_path(name: str, weights: str) -> Path:
    """The file that holds these weights, downloaded first if they are torchvision's."""
    if weights == "shipped":
        if name not in _SHIPPED:
            raise InputError(
                f"no weights of {name} ship with the package; use backbone.weights=imagenet, "
                f"random or the path of a state dict, or backbone={', '.join(_SHIPPED)}"
            )
        return Path(str(resources.files("nst") / "weights" / _SHIPPED[name]))
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


def _read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a state dict, never executing what a file holds."""
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
    """{features-only key: the chain's own}; stage i of a chain is ``features.i``."""
    return {
        f"{i}.{key}": f"{name}.{key}"
        for i, (name, stage) in enumerate(backbone.chain.items())
        for key, _ in stage.named_parameters()
    }


def _fill(backbone: Backbone, state: Mapping[str, Tensor], path: Path) -> None:
    """Copy a state dict in, whole or features only, checking it key by key."""
    if any(key.startswith("features.") for key in state):
        state = {
            key.removeprefix("features."): value
            for key, value in state.items()
            if key.startswith("features.")
        }
    own = _torchvision_keys(backbone)
    expected = dict(backbone.chain.named_parameters())
    for key, name in own.items():
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
    extra = sorted(set(state) - set(own))
    if extra:
        raise InputError(
            f"{path} does not fit {backbone.name}: it also has features.{extra[0]}"
            + (f" and {len(extra) - 1} more" if len(extra) > 1 else "")
        )
    values = {name: state[key].to(torch.float32) for key, name in own.items()}
    backbone.chain.load_state_dict(values, assign=True)


@torch.no_grad()
def _randomise(backbone: Backbone, seed: int) -> None:
    """He-normal filters from a seeded generator, then mean activations scaled to 1."""
    generator = torch.Generator().manual_seed(seed)
    backbone.chain.to_empty(device="cpu")
    for parameter in backbone.parameters():
        if parameter.ndim == 4:
            fan_in = parameter[0].numel()
            parameter.data = torch.randn(parameter.shape, generator=generator)
            parameter.data *= math.sqrt(2.0 / fan_in)
        else:
            parameter.data = torch.zeros(parameter.shape)
    normalise_activations(backbone, calibration_images())


def _learn_dictionary(backbone: Backbone, seed: int) -> None:
    """Training-free filters (:mod:`nst.dictionary`), kept in torch's cache once made."""
    if backbone.name not in VGG_BLOCKS:
        raise InputError(
            f"backbone.weights=dictionary is for {', '.join(VGG_BLOCKS)}, not for {backbone.name}"
        )
    name = f"nst-dictionary{dictionary.VERSION}-{backbone.name}-{_pooling(backbone)}-{seed}"
    cache = Path(torch.hub.get_dir()) / "checkpoints" / f"{name}.safetensors"
    if cache.is_file():
        backbone.chain.load_state_dict(load_file(cache), assign=True)
        return
    log.info("learning a dictionary for %s; kept in %s", backbone.name, cache)
    images = training_images(48, 128, seed, photos=0.75)
    backbone.chain.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    stages = list(backbone.chain.values())
    dictionary.fill(stages, (images - backbone.mean) / backbone.std, generator)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_suffix(f".{os.getpid()}.part")
        save_file(backbone.chain.state_dict(), partial)
        partial.replace(cache)


def _pooling(backbone: Backbone) -> str:
    kinds = {nn.MaxPool2d: "max", nn.AvgPool2d: "avg", BlurPool2d: "blur"}
    return kinds[type(backbone.chain["pool_1"])]


@torch.no_grad()
def normalise_activations(backbone: Backbone, images: Tensor) -> None:
    """Scale every convolution in order so that each channel's mean activation after ReLU is 1.

    Gatys et al. 2015, section "Methods": ReLU networks allow it without changing what is computed
    up to scale. Here each convolution is scaled given those before it.

    Args:
        backbone: changed in place
        images: (N, 3, H, W), RGB in [0, 1]
    """

    def rescale(conv: nn.Conv2d, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        mean = F.relu(output).mean((0, 2, 3))
        scale = 1.0 / mean.clamp_min(1e-3 * float(mean.mean()) + 1e-12)  # (C,)
        conv.weight.data *= scale.view(-1, 1, 1, 1)
        if conv.bias is not None:
            conv.bias.data *= scale
        return output * scale.view(1, -1, 1, 1)

    hooks = [
        module.register_forward_hook(rescale)
        for module in backbone.modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        backbone(images, [list(backbone.chain)[-1]])
    finally:
        for hook in hooks:
            hook.remove()


def _parameters_sha256(backbone: Backbone) -> str:
    digest = hashlib.sha256()
    for parameter in backbone.parameters():
        digest.update(parameter.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
