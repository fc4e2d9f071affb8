"""The losses of a run, a row per step."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO


class Trace:
    """``trace.csv``, a row per step, on disk within a second or so of being written."""

    def __init__(self, path: Path, columns: Sequence[str]):
        """
        Args:
            path: of the file
            columns: after ``step`` and ``seconds``: sums by kind, then terms
        """
        self._columns = list(columns)
        self._file: IO[str] = path.open("w", newline="", encoding="utf-8", buffering=1 << 14)
        self._writer = csv.writer(self._file)
        self._writer.writerow(["step", "seconds", *self._columns])
        self._flushed = 0.0

    def write(self, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """One row; ``values`` holds every column's."""
        numbers = [values[name] for name in self._columns]
        self._writer.writerow([step, f"{seconds:.6f}", *(f"{v:.9g}" for v in numbers)])
        if seconds - self._flushed > 1:
            self._file.flush()
            self._flushed = seconds

    def close(self) -> None:
        """Flush and close."""
        self._file.close()
