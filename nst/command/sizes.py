"""``size=original``: the size that a picture has, where a config has a number of pixels.

It is written once for a whole sweep and means another number in each of its jobs. What a run
records is the number.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from nst.config import Config, Task, from_omegaconf
from nst.errors import InputError, did_you_mean

ORIGINAL = "original"
_RANGE = range(16, 16385)


@dataclass
class Written(Config):
    """The config as Hydra composes it: a size may be a word, which :func:`checked` resolves."""

    size: Any = Config.size
    style_size: Any = Config.style_size


def checked(composed: Any) -> Config:
    """A composed config as plain dataclasses, every size a number, checked.

    Args:
        composed: by Hydra, without its own part; ``size=original`` in it becomes a number

    Raises:
        InputError: a value that cannot work.
    """
    from omegaconf.errors import OmegaConfBaseException

    numbers: dict[str, Any] = {}
    with contextlib.suppress(OmegaConfBaseException):  # of another value, as the checks will say
        own = "style" if composed.task is Task.texture else "content"
        for key, picture in (("size", own), ("style_size", "style")):
            if isinstance(composed[key], str):
                numbers[key] = _number(key, composed[key], picture, composed)
    if numbers:
        composed = composed.copy()
        composed.update(numbers)
    return from_omegaconf(composed)


def _number(key: str, value: str, picture: str, composed: Any) -> int:
    """A size that is a text as a number of pixels.

    Args:
        key: of the size
        value: that it has
        picture: the key of the picture whose size is meant
        composed: the config

    Raises:
        InputError: no number, and not ``original``; or the picture cannot be read, or is too large.
    """
    if value.strip().isdecimal():
        return int(value)
    if value != ORIGINAL:
        hint = did_you_mean(value, [ORIGINAL])
        raise InputError(f"{key}={value}: expected a whole number or {ORIGINAL}{hint}")
    side = _longest_side(picture, str(composed[picture]))
    if side not in _RANGE:
        raise InputError(
            f"{key}={ORIGINAL}: {picture}={composed[picture]} has a longest side of {side} px; "
            f"choose a number of {_RANGE[0]} to {_RANGE[-1]}"
        )
    return side


def _longest_side(key: str, source: str) -> int:
    """In pixels, by the header of the picture's file."""
    from nst.pictures.samples import source_size  # imports torch

    try:
        return max(source_size(source))
    except InputError as error:
        raise InputError(f"{key}={error}") from None
