"""The losses of a run, a row per step."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from nst import durable
from nst.losses.terms import WeightedTerms, sum_by_kind

_CLOCK = ("step", "seconds")


def unweighted_name(name: str) -> str:
    """The column of a kind or a term before its weight: ``style_unweighted``."""
    return f"{name}_unweighted"


def losses_of_step(spec: WeightedTerms, values: Sequence[float]) -> dict[str, float | None]:
    """What a trace holds of one step of one run, in the order of its columns.

    Args:
        spec: the run's terms and weights
        values: its weighted terms

    Returns:
        ``total``, the weighted sums by kind, the weighted terms, then sums and terms before their
        weights, as :class:`nst.losses.terms.WeightedTerms` defines them, None where a weight is 0.

    >>> from nst.losses.terms import weighted_terms
    >>> spec = weighted_terms({"conv_4": 0.5}, content_weight=8.0)
    >>> for name, loss in losses_of_step(spec, [12.0]).items():
    ...     if "content" in name:
    ...         print(name, loss)
    content 12.0
    content/conv_4 12.0
    content_unweighted 1.5
    content/conv_4_unweighted 3.0
    """
    own = spec.unweighted(values)
    before = spec.sum_unweighted(own) | dict(zip(spec.names, own, strict=True))
    return {
        **sum_by_kind(spec.terms, values),
        **dict(zip(spec.names, values, strict=True)),
        **{unweighted_name(name): loss for name, loss in before.items()},
    }


class Trace:
    """``trace.csv``, a row per step, on disk within a second or so of being written."""

    def __init__(self, path: Path, columns: Sequence[str], after: int | None = None):
        """
        Args:
            path: of the file
            columns: after ``step`` and ``seconds``, as of :func:`losses_of_step`
            after: go on after this step of the file that is there; later rows are dropped
        """
        self._path, self._columns = path, list(columns)
        with durable.named(path):
            if after is None:
                path.write_bytes(b"")
            else:
                _cut(path, after)
            goes_on = path.stat().st_size > 0
            self._file: IO[str] = path.open("a", newline="", encoding="utf-8", buffering=1 << 14)
        self._writer = csv.writer(self._file)
        if not goes_on:
            self._writer.writerow(["step", "seconds", *self._columns])
        self._flushed = 0.0

    def write(self, step: int, seconds: float, values: Mapping[str, float | None]) -> None:
        """One row; ``values`` holds every column's, None for an empty cell."""
        numbers = [values[name] for name in self._columns]
        cells = ("" if v is None else f"{v:.9g}" for v in numbers)
        with durable.named(self._path):
            self._writer.writerow([step, f"{seconds:.6f}", *cells])
            if seconds - self._flushed > 1:
                self._file.flush()
                self._flushed = seconds

    def flush(self) -> None:
        """Have the disk hold every row."""
        with durable.named(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close."""
        try:
            self.flush()
        finally:
            with contextlib.suppress(OSError):  # flush has said so
                self._file.close()


def _cut(path: Path, after: int) -> None:
    """Drop a trace's rows of later steps, and a row that was half written."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        step = line.partition(",")[0]
        if line.endswith("\n") and (step == "step" or (step.isdigit() and int(step) <= after)):
            kept.append(line)
    with durable.replacing(path) as partial:
        partial.write_bytes("".join(kept).encode())


def read_rows(path: Path) -> list[tuple[int, dict[str, float]]]:
    """The steps of a trace with their losses, empty cells left out."""
    with path.open(newline="", encoding="utf-8") as lines:
        return [
            (int(row["step"]), {k: float(v) for k, v in row.items() if v and k not in _CLOCK})
            for row in csv.DictReader(lines)
        ]
