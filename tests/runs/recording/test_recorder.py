"""Losses on their way from the device to the traces of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch

from nst.runs.recording.recorder import LossRows, Recorder
from nst.runs.transfer import Progress


class Row:
    """What :class:`LossRows` needs of a run: its number, and where it writes."""

    def __init__(self, number: int):
        self.number, self.written = number, list[tuple[int, float, list[float]]]()

    def attempt(self, call: Callable[..., None], *args: Any) -> None:
        call(*args)

    def write(self, step: int, seconds: float, values: list[float]) -> None:
        self.written.append((step, seconds, values))


def progress(step: int, settled: bool) -> Progress:
    """A step of two runs whose losses are (step, −step); half a second each."""
    terms = torch.tensor([[float(step)], [-float(step)]])
    return Progress(step, step, torch.zeros(2, 3, 1, 1), terms, torch.zeros(2), settled)


def test_losses_are_read_where_the_device_was_waited_for() -> None:
    """And a block's seconds are spread over its steps."""
    runs = [Row(0), Row(1)]
    with LossRows(cast("list[Recorder]", runs)) as rows:
        rows.add(progress(0, settled=True))
        for step in (1, 2, 3):
            rows.add(progress(step, settled=False))
        assert [len(run.written) for run in runs] == [1, 1]
        rows.add(progress(4, settled=True))
        assert runs[1].written == [(n, n / 2, [-float(n)]) for n in range(5)]
        rows.add(progress(5, settled=False))
    assert [step for step, _, _ in runs[0].written] == list(range(6))  # a block cut short, too
