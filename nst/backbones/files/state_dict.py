"""State dicts from files of every kind, and filters in 8 bits."""

from __future__ import annotations

import contextlib
import re
import struct
import tarfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from nst.backbones.files.pickles import read_legacy, read_tar, read_zip
from nst.errors import InputError

_SCALE = ".scale"
_NESTED = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts keep a state dict."""


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a state dict, never executing what a file holds, nor allocating more than it has.

    Raises:
        InputError: it is no state dict, or cannot be read.
    """
    try:
        state = _read(path)
    except Exception as error:  # torch, pickle, tarfile and safetensors raise many kinds
        raise InputError(f"{path} is no readable state dict: {_reason(error)}") from error
    for key in _NESTED:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not all(_is_entry(*item) for item in state.items()):
        raise InputError(f"{path} holds no state dict (a mapping of names to tensors)")
    size = path.stat().st_size
    for key, value in state.items():
        if not _is_plain(value) or value.numel() * value.element_size() > size:
            raise InputError(f"{path}: {key} is no tensor whose values the file holds")
    return dequantized(state)


def _read(path: Path) -> object:
    """What a file holds, by what it begins with."""
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise ValueError("it is empty")
    if head.lstrip()[:1] == b"<":
        raise ValueError("it is a web page, as some addresses answer instead of the file")
    if head.startswith(b"version https://git-lfs"):
        raise ValueError("it only points to a file of Git LFS; fetch that by git lfs pull")
    if path.suffix == ".safetensors" or head[8:9] == b"{":
        return load_file(path)
    if head.startswith(b"PK"):
        return read_zip(path)
    with contextlib.suppress(OSError, EOFError):  # of what looks packed
        if tarfile.is_tarfile(path):
            return read_tar(path)
    if head.startswith(b"\x80"):
        return read_legacy(path)
    raise ValueError("it is nothing that torch.save or safetensors writes")


def _reason(error: Exception) -> str:
    """What is wrong with a file, in one line."""
    if isinstance(error, EOFError | struct.error):
        return "it is cut off"
    text = str(error)
    torchs = re.search(r"WeightsUnpickler error: (.*)", text)
    lines = [line for line in text.splitlines() if line.strip()]
    return torchs[1] if torchs else lines[0] if lines else type(error).__name__


def _is_entry(key: object, value: object) -> bool:
    return isinstance(key, str) and isinstance(value, Tensor)


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor has its values in memory, one after the other or in strides."""
    plain = value.layout is torch.strided and value.device.type == "cpu"
    return plain and not value.is_quantized and not value.is_nested


def quantized(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Filters (K, C, H, W) of a state dict in 8 bits, each of the K with a scale of its own.

    A filter's largest weight is ±127 times its scale, (K,) float32 under ``KEY.scale``; biases stay
    as they are.
    """
    result = {}
    for key, value in state.items():
        if value.ndim == 4:
            scale = value.float().abs().amax((1, 2, 3)).clamp_min(1e-30) / 127
            levels = (value.float() / scale.view(-1, 1, 1, 1)).round()
            result[key], result[f"{key}{_SCALE}"] = levels.to(torch.int8).contiguous(), scale
        else:
            result[key] = value.contiguous()
    return result


def dequantized(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict whose :func:`quantized` filters are float32 again; all else is left alone."""
    result = dict(state)
    for key, value in state.items():
        scale = state.get(f"{key}{_SCALE}")
        eight_bits = value.dtype == torch.int8 and value.ndim == 4
        if eight_bits and scale is not None and scale.shape == value.shape[:1]:
            result[key] = value.float() * scale.view(-1, 1, 1, 1)
            del result[f"{key}{_SCALE}"]
    return result
