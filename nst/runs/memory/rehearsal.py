"""How much memory a run needs, read off the run itself on tensors without memory.

torch's ``meta`` device has shapes and no numbers. The very code of a run (targets, evaluations,
steps of the optimiser) runs there in a fraction of a second, while a counter adds up the bytes that
its tensors would take.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nst.backbones.load import build
from nst.config import Config, Task
from nst.gradients.engine import engine
from nst.gradients.precision import Precision
from nst.losses.terms import terms_from_config
from nst.optimizers.from_config import make_optimizer
from nst.optimizers.steps import ValueAndGradient
from nst.runs.batches import batch_key
from nst.runs.objectives import Networks, make_objectives
from nst.runs.passes import all_passes, output_size, style_size

_aten = torch.ops.aten
_STEPS = 2  # after the start: by then the optimiser holds all that it ever keeps


class PeakBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most bytes that the tensors made inside the block took at once.

    Attributes:
        current: bytes that they take
        peak: the most so far

    ``torch.empty`` counts for nothing until something is written: a CPU gives a page of memory at
    the first touch. Nor does a view, of what was there before the block either.
    """

    def __init__(self, device: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.current = self.peak = 0
        self._device = device
        self._alive: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is not _aten.empty.memory_format and not func.is_view:
            for tensor in result if isinstance(result, list | tuple) else (result,):
                if isinstance(tensor, Tensor) and tensor.device.type == self._device:
                    self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._alive:
            self._alive.add(key)
            self.current += storage.nbytes()
            self.peak = max(self.peak, self.current)
            weakref.finalize(storage, self._free, key, storage.nbytes())

    def _free(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.current -= size


def peak_bytes(cfgs: Sequence[Config], precision: Precision, checkpointing: bool) -> int:
    """Peak bytes that N runs as one batch add to those of the loaded network.

    Runs of the same shapes, as those of most sweeps are, are rehearsed once.

    Args:
        cfgs: of the runs, which may share a batch
        precision: of the steps
        checkpointing: whether large blocks are computed twice
    """
    key = _shapes(cfgs), precision.dtype, precision.checked, checkpointing
    if key not in _rehearsed:
        _rehearsed[key] = _peak_bytes(cfgs, precision, checkpointing)
    return _rehearsed[key]


_rehearsed: dict[Hashable, int] = {}


def _shapes(cfgs: Sequence[Config]) -> Hashable:
    """What decides the shapes of N runs' tensors, and which of them are shared or left out."""
    sides = [side for side, _ in all_passes(cfgs[0])]
    pictures = [[cfg.content for cfg in cfgs], [cfg.style for cfg in cfgs]]
    shared = tuple(tuple(names.index(name) for name in names) for names in pictures)
    styles = tuple(style_size(cfg, side) for cfg in cfgs for side in sides)
    weights = zip(*(terms_from_config(cfg).weights for cfg in cfgs), strict=True)
    return batch_key(cfgs[0]), shared, styles, tuple(any(each) for each in weights)


def _peak_bytes(cfgs: Sequence[Config], precision: Precision, checkpointing: bool) -> int:
    cfg = cfgs[0]
    backbone = build(cfg.backbone.name.name, cfg.backbone.pooling.name).to("meta")
    networks = Networks(backbone, precision)
    return max(
        _peak_of_pass(cfgs, networks, precision, checkpointing, size)
        for size in dict.fromkeys(size for size, _ in all_passes(cfg))
    )


def _peak_of_pass(
    cfgs: Sequence[Config],
    networks: Networks,
    precision: Precision,
    checkpointing: bool,
    size: int,
) -> int:
    cfg = cfgs[0]
    steps = max(steps for side, steps in all_passes(cfg) if side == size)
    with PeakBytes("meta") as counter:
        contents = _pictures(cfgs, size, Task.texture)
        styles = _pictures(cfgs, size, Task.content)
        objectives = make_objectives(cfgs, networks, contents, styles)
        width, height = output_size(cfg, size)
        start = torch.zeros(len(cfgs), 3, height, width, device="meta")
        evaluations = [engine(objectives.fast, checkpointing)]
        if objectives.exact is not objectives.fast:  # what compares with float32, and judges last
            evaluations.append(engine(objectives.exact, checkpointing=True))
        _rehearse(cfg, evaluations, start, steps)
    return int(counter.peak)


def _rehearse(
    cfg: Config, evaluations: Sequence[ValueAndGradient], start: Tensor, steps: int
) -> None:
    """The first steps of a pass of so many, of which the last alone sees the network.

    Its evaluations are all alike, and the last one meets the most that the optimiser holds.
    """
    last = min(steps, _STEPS)
    sees_network = last == 0

    def evaluate(images: Tensor) -> tuple[Tensor, Tensor]:
        if sees_network:
            first, *_ = [evaluation(images) for evaluation in evaluations]
            return first
        return images.new_zeros(images.shape[0], 1), torch.zeros_like(images)

    optimizer = make_optimizer(cfg.optimizer, evaluate, start, steps)
    for index in range(last + 1):
        sees_network = index == last
        optimizer.step()


def _pictures(cfgs: Sequence[Config], size: int, without: Task) -> list[Tensor]:
    """The content or style images without numbers; one tensor for each picture."""
    if cfgs[0].task is without:
        return []
    of_style = without is Task.content
    pictures: dict[tuple[str, int, int], Tensor] = {}
    each = []
    for cfg in cfgs:
        source = cfg.style if of_style else cfg.content
        width, height = style_size(cfg, size) if of_style else output_size(cfg, size)
        key = source, width, height
        if key not in pictures:
            pictures[key] = torch.zeros(1, 3, height, width, device="meta")
        each.append(pictures[key])
    return each
