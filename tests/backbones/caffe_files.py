"""Files as J. Johnson's: Caffe's input, and torch's format of early 2017."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nst.backbones.network import CAFFE_MEAN, IMAGENET_MEAN, IMAGENET_STD, Backbone


def caffe_state(backbone: Backbone) -> dict[str, Tensor]:
    """The state dict of a network that computes the same from BGR, 0–255, less Caffe's mean.

    With p from 0 to 255, x = (p / 255 − m) / s and y = p − M, Wx + b is W / (255 s) y and a
    constant. At the borders the two differ a little: zeros mean another grey.
    """
    state = {
        f"features.{i}.{key}": value.clone()
        for i, module in enumerate(backbone.chain.values())
        for key, value in module.state_dict().items()
    }
    weight = state["features.0.weight"]
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    shift = (torch.tensor(CAFFE_MEAN) / 255 - mean) / std
    state["features.0.bias"] += (weight.sum((2, 3)) * shift).sum(1)
    state["features.0.weight"] = (weight / (255 * std).view(1, 3, 1, 1)).flip(1)
    return state


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, tensors: list[Tensor]):
        super().__init__(file, protocol=2)
        self._tensors = tensors

    def persistent_id(self, obj: Any) -> int | None:
        if not isinstance(obj, Tensor):
            return None
        self._tensors.append(obj)
        return len(self._tensors) - 1


def save_tar(state: Any, path: Path) -> None:
    """What ``torch.save`` of version 0.1.8 wrote; see ``_legacy_load`` in torch's serialization.

    Every second storage is a view into one of twice its length, and every matrix is transposed.
    """
    tensors: list[Tensor] = []
    whole, of_storages, of_tensors = io.BytesIO(), io.BytesIO(), io.BytesIO()
    _Pickler(whole, tensors).dump(state)
    pickle.dump(len(tensors), of_storages, protocol=2)
    pickle.dump(len(tensors), of_tensors, protocol=2)
    views = []
    for i, tensor in enumerate(tensors):
        flat = tensor.contiguous().flatten()
        stored = torch.cat([torch.zeros(1), flat, flat]) if i % 2 else flat
        pickle.dump((100 + i, "cpu", torch.FloatStorage), of_storages, protocol=2)
        of_storages.write(struct.pack("<q", len(stored)) + stored.numpy().tobytes())
        views.append((200 + i, 100 + i, i % 2, len(flat)))
        pickle.dump((i, 200 + i, torch.FloatTensor), of_tensors, protocol=2)
        layout = [*tensor.shape, *tensor.contiguous().stride(), 0]
        of_tensors.write(struct.pack(f"<i4x{len(layout)}q", tensor.ndim, *layout))
    pickle.dump(views, of_storages, protocol=2)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        members = {"storages": of_storages, "tensors": of_tensors, "pickle": whole}
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content.getvalue())
            tar.addfile(info, io.BytesIO(content.getvalue()))


def ordered(state: dict[str, Tensor]) -> OrderedDict[str, Tensor]:
    """As ``state_dict`` returns it."""
    return OrderedDict(state)
