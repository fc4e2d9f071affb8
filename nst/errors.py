"""The exceptions that are not faults of the code: wrong input, and an interruption."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable


class InputError(ValueError):
    r"""Input that cannot work. Its message is one line: what is wrong, and what would be right.

    Control characters and what is no Unicode, as names of files may have them, are escaped.

    >>> print(InputError("content=a\nb.png: no such file"))
    content=a\nb.png: no such file
    """

    def __init__(self, message: object = ""):
        super().__init__(printable(str(message)))


_LONGEST = 2000


def printable(text: str) -> str:
    """A text without its middle where it is very long, control characters and the like escaped."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
    return "".join(
        c if c.isprintable() or c == "\u200d" else c.encode("unicode_escape").decode() for c in text
    )


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
    """Return ``"; did you mean X?"`` for the closest known name, or an empty string.

    Where none is close, one that has all of the wrong name in it is meant.

    >>> did_you_mean("keras", ["gatys2015", "chollet_keras"])
    '; did you mean chollet_keras?'
    """
    names = list(known)
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    if not close and len(wrong) >= 3:
        close = [name for name in names if wrong.lower() in name.lower()]
    return f"; did you mean {close[0]}?" if close else ""


def require(ok: bool, key: str, value: object, expected: str) -> None:
    """Raise :class:`InputError` as ``key=value: expected …`` unless ok."""
    if not ok:
        raise InputError(f"{key}={shown(value)}: expected {expected}")


def shown(value: object) -> str:
    """A value as it stands on the command line.

    >>> shown(None), shown(True), shown([None, "a"])
    ('null', 'true', '[null, a]')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {shown(v)}' for k, v in value.items())}}}"
    return str(value)
