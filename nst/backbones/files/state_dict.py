"""State dicts from files of every kind, never executing what a file holds."""

from __future__ import annotations

import pickle
import struct
import tarfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from nst.errors import InputError

_SCALE = ".scale"
_DTYPES = {"Float": torch.float32, "Double": torch.float64, "Half": torch.float16}


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors of a state dict, never executing what a file holds.

    Raises:
        InputError: it is no state dict, or cannot be read.
    """
    try:
        if path.suffix == ".safetensors":
            state: object = load_file(path)
        elif tarfile.is_tarfile(path):
            state = _read_tar(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise many kinds for one cause
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is no readable state dict: {reason}") from error
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f"{path} holds no state dict (a mapping of names to tensors)")
    return dequantized(state)


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


class _TarUnpickler(pickle.Unpickler):
    """Knows no more than what state dicts in torch's tar format are made of."""

    def __init__(self, file: IO[bytes], tensors: Mapping[int, Tensor]):
        super().__init__(file, encoding="utf-8")
        self._tensors = tensors

    def find_class(self, module: str, name: str) -> Any:
        """A class by its name; of torch's storages and tensors the dtype is enough."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        kind = name.removesuffix("Storage").removesuffix("Tensor")
        if module in ("torch", "torch.cuda") and kind in _DTYPES:
            return _DTYPES[kind]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no state dict needs")

    def persistent_load(self, pid: Any) -> Tensor:
        """A tensor by its number."""
        return self._tensors[int(pid)]


def _read_tar(path: Path) -> object:
    """What torch saved until early 2017, as J. Johnson's files are: storages, tensors, a pickle.

    torch itself reads this format only where it may execute what a file holds. It is described by
    ``_legacy_load`` in ``torch/serialization.py``: numbers are little-endian, a storage is its
    length and its values, a tensor its storage, number of dimensions, shape, strides and offset.
    """
    storages: dict[int, Tensor] = {}
    tensors: dict[int, Tensor] = {}

    def member(name: str) -> IO[bytes]:
        file = tar.extractfile(name)
        if file is None:
            raise pickle.UnpicklingError(f"its {name} are no file")
        return file

    def load(file: IO[bytes]) -> Any:
        return _TarUnpickler(file, tensors).load()

    with tarfile.open(path, "r:") as tar:
        file = member("storages")
        for _ in range(load(file)):
            key, _location, dtype = load(file)
            (length,) = struct.unpack("<q", file.read(8))
            values = bytearray(file.read(length * dtype.itemsize))
            storages[key] = torch.frombuffer(values, dtype=dtype, count=length)
        for view, root, offset, length in load(file):
            storages[view] = storages[root][offset : offset + length]
        file = member("tensors")
        for _ in range(load(file)):
            key, storage, _dtype = load(file)
            (ndim,) = struct.unpack("<i4x", file.read(8))
            *layout, offset = struct.unpack(f"<{2 * ndim + 1}q", file.read(16 * ndim + 8))
            tensors[key] = storages[storage][offset:].as_strided(layout[:ndim], layout[ndim:])
        return load(member("pickle"))
