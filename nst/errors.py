"""The one exception that means "your input, not our code"."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot work. Its message is one line: what is wrong, and what would be right."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean X?"`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def require(ok: bool, key: str, value: object, expected: str) -> None:
    """Raise :class:`InputError` as ``key=value: expected …`` unless ok."""
    if not ok:
        raise InputError(f"{key}={value}: expected {expected}")
