"""Tensors from the three formats that torch has saved in, each looked at before it is loaded.

All of them hold pickles, which may name functions to call and sizes to allocate. What a state dict
needs is known: a pickle that names anything else, or a number larger than the file, is not loaded.
"""

from __future__ import annotations

import io
import mmap
import pickle
import pickletools
import re
import struct
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

_DTYPES = {"Float": torch.float32, "Double": torch.float64, "Half": torch.float16}
_NEEDED = re.compile(
    r"collections (OrderedDict|Counter)|builtins set|__builtin__ set"
    r"|torch._utils _rebuild_(tensor|tensor_v2|tensor_v3|parameter)|torch.nn.parameter Parameter"
    r"|torch(\.cuda)? (?!Untyped|Typed)\w+Storage|torch (Size|device)"
    r"|torch (uint|int|float|bfloat|complex|bool)\w*"
)
"""Names, as ``module name``, that state dicts and what is saved beside them consist of."""

_NEEDED_IN_TAR = re.compile(
    r"collections OrderedDict|torch(\.cuda)? (Float|Double|Half)(Storage|Tensor)"
)
_REFUSED = {
    *("INST", "OBJ", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"),
    *("BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER"),
}
"""Operations of a pickle that torch does not write, and that reach for more."""


def read_zip(path: Path) -> object:
    """What torch saves since 2020: a zip whose tensors are stored as they are.

    Raises:
        ValueError: it is cut off, packed, or larger inside than outside.
        pickle.UnpicklingError: its pickle asks for what no state dict needs.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            packed = any(m.compress_type != zipfile.ZIP_STORED or m.flag_bits & 1 for m in members)
            if packed or sum(member.file_size for member in members) > size:
                raise ValueError("its members are packed, which torch does not do")
            pickles = [member for member in members if member.filename.endswith(".pkl")]
            if not pickles:
                raise ValueError("it is a zip, but none of torch's")
            for member in pickles:
                check_pickle(io.BytesIO(archive.read(member)), size)
    except zipfile.BadZipFile as error:
        raise ValueError(f"it is cut off or damaged ({error})") from None
    return _load(path)


def read_legacy(path: Path) -> object:
    """What torch saved from 2017 to 2020: five pickles, then the values.

    Raises:
        ValueError, EOFError: it is cut off or damaged.
        pickle.UnpicklingError: a pickle asks for what no state dict needs.
    """
    size = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for number in range(5):  # a magic number, versions, sizes of C's types, state dict, keys
            check_pickle(content, size if number > 2 else None)
    return _load(path)


def _load(path: Path) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own use of what it deprecates
        return torch.load(path, map_location="cpu", weights_only=True)


def check_pickle(file: Any, largest: int | None = None, needed: re.Pattern[str] = _NEEDED) -> None:
    """Read over one pickle without doing what it says.

    Args:
        file: at its beginning; afterwards at its end
        largest: number that may stand in it, as a length or a size; None: any
        needed: names that it may ask for

    Raises:
        pickle.UnpicklingError: it asks for what no state dict needs.
        ValueError: it is no pickle, or one that is cut off.
    """
    for count, (operation, argument, _) in enumerate(pickletools.genops(file)):
        kind, value = operation.name, argument or 0
        if kind == "GLOBAL" and not needed.fullmatch(str(value)):
            name = str(value).replace(" ", ".")
            raise pickle.UnpicklingError(f"it asks for {name}, which no state dict needs")
        if kind in _REFUSED:
            raise pickle.UnpicklingError(f"it has a {kind}, which no state dict needs")
        if kind.endswith("PUT") and int(value) > count:
            raise pickle.UnpicklingError("it remembers more than it holds")
        is_number = isinstance(value, int) and not kind.endswith(("PUT", "GET"))
        if largest is not None and is_number and abs(value) > largest:
            raise pickle.UnpicklingError(f"it declares {value} of something, more than it holds")


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


def read_tar(path: Path) -> object:
    """What torch saved until early 2017, as J. Johnson's files are: storages, tensors, a pickle.

    torch itself reads this format only where it may execute what a file holds. It is described by
    ``_legacy_load`` in ``torch/serialization.py``: numbers are little-endian, a storage is its
    length and its values, a tensor its storage, number of dimensions, shape, strides and offset.

    Raises:
        ValueError, EOFError, struct.error, KeyError: it is cut off or damaged.
        pickle.UnpicklingError: a pickle asks for what no state dict needs.
    """
    storages: dict[Any, Tensor] = {}
    tensors: dict[Any, Tensor] = {}

    def load(file: IO[bytes]) -> Any:
        start = file.tell()
        check_pickle(file, needed=_NEEDED_IN_TAR)
        file.seek(start)
        return _TarUnpickler(file, tensors).load()

    with tarfile.open(path, "r:") as tar:
        file = _member(tar, "storages", path)
        for _ in range(load(file)):
            key, _location, dtype = load(file)
            storages[key] = _values(file, dtype)
        for view, root, offset, length in load(file):
            storages[view] = storages[root][offset : offset + length]
        file = _member(tar, "tensors", path)
        for _ in range(load(file)):
            key, storage, _dtype = load(file)
            (ndim,) = struct.unpack("<i4x", file.read(8))
            if not 0 <= ndim <= 8:
                raise ValueError(f"a tensor of {ndim} dimensions")
            *layout, offset = struct.unpack(f"<{2 * ndim + 1}q", file.read(16 * ndim + 8))
            tensors[key] = storages[storage][offset:].as_strided(layout[:ndim], layout[ndim:])
        return load(_member(tar, "pickle", path))


def _member(tar: tarfile.TarFile, name: str, path: Path) -> IO[bytes]:
    """A member's content, which is in the file as it is."""
    info = tar.getmember(name)
    file = tar.extractfile(info)
    if file is None or info.issparse() or info.size > path.stat().st_size:
        raise ValueError(f"its {name} are no file, or cut off")
    return io.BytesIO(file.read())


def _values(file: IO[bytes], dtype: Any) -> Tensor:
    """A storage: its length and its values."""
    (length,) = struct.unpack("<q", file.read(8))
    values = bytearray(file.read(max(0, length) * dtype.itemsize))
    if not 0 <= length * dtype.itemsize <= len(values):
        raise EOFError
    if not length:
        return torch.empty(0, dtype=dtype)
    return torch.frombuffer(values, dtype=dtype, count=length)
