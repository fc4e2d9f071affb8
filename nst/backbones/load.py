"""Backbones by name: build the chain, fill in the weights."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from nst.backbones import kmeans
from nst.backbones.activations import randomize, rescale_channels
from nst.backbones.files.state_dict import read_state
from nst.backbones.network import Backbone, WeightsRecord
from nst.backbones.pooling import pooling_of
from nst.backbones.squeezenet import squeezenet_chain
from nst.backbones.vgg import vgg_chain
from nst.backbones.weights import fill, fits, is_of_caffe, weights_path
from nst.config.derived import pixel_format
from nst.config.layers import BACKBONES, VGG_BLOCKS
from nst.config.schema import WEIGHTS
from nst.errors import InputError
from nst.pictures.procedural import training_images
from nst.pictures.samples import calibration_images

log = logging.getLogger(__name__)


def build(name: str, pooling: str = "max", pixels: str = "imagenet") -> Backbone:
    """A backbone whose weights are yet to be filled in (those of a VGG have no memory yet).

    Args:
        name: one of :data:`nst.config.layers.BACKBONES`
        pooling: ``max``, ``avg`` or ``blur``
        pixels: how its weights want them, of :data:`nst.backbones.network.PIXEL_FORMATS`

    Raises:
        InputError: an unknown name.
    """
    if name not in BACKBONES:
        raise InputError(f"unknown backbone {name!r}; known: {', '.join(BACKBONES)}")
    chain = squeezenet_chain(pooling) if name == "squeezenet1_0" else vgg_chain(name, pooling)
    return Backbone(name, chain, pixels)


def load_backbone(
    name: str,
    weights: str = "imagenet",
    pooling: str = "max",
    seed: int = 0,
    device: torch.device | str = "cpu",
    pixels: str = "auto",
    normalize: bool = False,
) -> Backbone:
    """A frozen backbone, ready to use.

    Args:
        name: one of :data:`nst.config.layers.BACKBONES`
        weights: ``shipped`` (in the package), ``imagenet`` (torchvision's download), ``caffe``
            (the original VGGs, a download), ``random``, ``kmeans`` (training-free, see
            :mod:`nst.backbones.kmeans`; VGGs), or the path of a torchvision state dict (whole or
            features only) or safetensors file
        pooling: ``max``, ``avg`` or ``blur`` (:mod:`nst.backbones.pooling`)
        seed: of random and kmeans weights
        device: where it lives
        pixels: how the weights want them: ``imagenet``, ``caffe``, or ``auto``: caffe's weights
            caffe's way, all others ImageNet's
        normalize: rescale channels to mean activations of 1 on the calibration images

    Raises:
        InputError: no such weights for this backbone, a file that is missing or does not fit, a
            download that failed, or weights that want their pixels otherwise.
    """
    backbone = build(name, pooling, pixel_format(weights, pixels))
    if weights == "random":
        randomize(backbone, seed, calibration_images())
        backbone.weights_record = WeightsRecord("random", _parameters_sha256(backbone))
    elif weights == "kmeans":
        _learn_kmeans(backbone, seed)
        backbone.weights_record = WeightsRecord("kmeans", _parameters_sha256(backbone))
    else:
        _fill_from_file(backbone, weights)
    if normalize:
        rescale_channels(backbone, calibration_images())
    for parameter in backbone.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return backbone.to(device).requires_grad_(False)


def _fill_from_file(backbone: Backbone, weights: str) -> None:
    """Weights that ship, of a download or of a file, and their record."""
    path = weights_path(backbone.name, weights)
    state = read_state(path)
    try:
        fill(backbone, state, path)
    except InputError as error:
        others = [name for name in BACKBONES if name != backbone.name and fits(build(name), state)]
        hint = f"; these are weights of {others[0]}, use backbone={others[0]}" if others else ""
        raise InputError(f"{error}{hint}") from None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    backbone.weights_record = WeightsRecord(weights if weights in WEIGHTS else str(path), digest)
    if backbone.pixel_format != "caffe" and is_of_caffe(digest):
        log.warning("%s takes Caffe's pixels; add backbone.input=caffe", path)


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
        try:
            backbone.chain.load_state_dict(load_file(cache), assign=True)
            return
        except (SafetensorError, RuntimeError, OSError) as error:
            log.warning("%s is damaged and will be made again: %s", cache, _first_line(error))
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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _parameters_sha256(backbone: Backbone) -> str:
    digest = hashlib.sha256()
    for parameter in backbone.parameters():
        digest.update(parameter.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
