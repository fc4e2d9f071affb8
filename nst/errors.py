"""The exceptions that are not faults of the code: wrong input, and an interruption."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot work. Its message is one line: what is wrong, and what would be right."""


class Interruption(KeyboardInterrupt):
    """The process was asked to end: by Ctrl-C, ``kill``, a scheduler or a closed terminal.

    Attributes:
        signal: that asked for it
    """

    def __init__(self, number: int = signal.SIGINT):
        self.signal = signal.Signals(number)
        super().__init__(f"interrupted by {self.signal.name}")

    @property
    def exit_status(self) -> int:
        """What a shell reports of it: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self.signal


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean X?"`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def require(ok: bool, key: str, value: object, expected: str) -> None:
    """Raise :class:`InputError` as ``key=value: expected …`` unless ok."""
    if not ok:
        raise InputError(f"{key}={value}: expected {expected}")
