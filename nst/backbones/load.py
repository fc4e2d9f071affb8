"""Backbones by name: build the chain, fill in the weights."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from nst.backbones import kmeans
from nst.backbones.activations import randomize
from nst.backbones.network import Backbone, WeightsRecord
from nst.backbones.pooling import pooling_of
from nst.backbones.squeezenet import squeezenet_chain
from nst.backbones.vgg import vgg_chain
from nst.backbones.weights import fill, read_state, weights_path
from nst.config.layers import BACKBONES, VGG_BLOCKS
from nst.errors import InputError
from nst.pictures.procedural import training_images
from nst.pictures.samples import calibration_images

log = logging.getLogger(__name__)


def build(name: str, pooling: str = "max") -> Backbone:
    """A backbone whose weights are yet to be filled in (those of a VGG have no memory yet).

    Raises:
        InputError: an unknown name.
    """
    if name not in BACKBONES:
        raise InputError(f"unknown backbone {name!r}; known: {', '.join(BACKBONES)}")
    chain = squeezenet_chain(pooling) if name == "squeezenet1_0" else vgg_chain(name, pooling)
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
        name: one of :data:`nst.config.layers.BACKBONES`
        weights: ``shipped`` (in the package), ``imagenet`` (torchvision's download), ``random``,
            ``kmeans`` (training-free, see :mod:`nst.backbones.kmeans`; VGGs), or the path of a
            torchvision state dict (whole or features only) or safetensors file
        pooling: ``max``, ``avg`` or ``blur`` (:mod:`nst.backbones.pooling`)
        seed: of random and kmeans weights
        device: where it lives

    Raises:
        InputError: no such weights for this backbone, a file that is missing or does not fit, or
            a download that failed.
    """
    backbone = build(name, pooling)
    if weights == "random":
        randomize(backbone, seed, calibration_images())
        backbone.weights_record = WeightsRecord("random", _parameters_sha256(backbone))
    elif weights == "kmeans":
        _learn_kmeans(backbone, seed)
        backbone.weights_record = WeightsRecord("kmeans", _parameters_sha256(backbone))
    else:
        path = weights_path(name, weights)
        fill(backbone, read_state(path), path)
        label = weights if weights in ("shipped", "imagenet") else str(path)
        with path.open("rb") as file:
            backbone.weights_record = WeightsRecord(
                label, hashlib.file_digest(file, "sha256").hexdigest()
            )
    for parameter in backbone.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return backbone.to(device).requires_grad_(False)


def _learn_kmeans(backbone: Backbone, seed: int) -> None:
    """Training-free filters (:mod:`nst.backbones.kmeans`), kept in torch's cache once made."""
    if backbone.name not in VGG_BLOCKS:
        raise InputError(
            f"backbone.weights=kmeans is for {', '.join(VGG_BLOCKS)}, not for {backbone.name}"
        )
    name = (
        f"nst-kmeans{kmeans.VERSION}-{backbone.name}-{pooling_of(backbone.chain['pool_1'])}-{seed}"
    )
    cache = Path(torch.hub.get_dir()) / "checkpoints" / f"{name}.safetensors"
    if cache.is_file():
        backbone.chain.load_state_dict(load_file(cache), assign=True)
        return
    log.info("clustering filters for %s, to be kept in %s", backbone.name, cache)
    images = training_images(48, 128, seed, photos=0.75)
    backbone.chain.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    modules = list(backbone.chain.values())
    kmeans.fill(modules, (images - backbone.mean) / backbone.std, generator)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time only
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_suffix(f".{os.getpid()}.part")
        save_file(backbone.chain.state_dict(), partial)
        partial.replace(cache)


def _parameters_sha256(backbone: Backbone) -> str:
    digest = hashlib.sha256()
    for parameter in backbone.parameters():
        digest.update(parameter.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
