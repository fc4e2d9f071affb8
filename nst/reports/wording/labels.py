"""Values of a key as labels: short, on one line, and told apart where two would be the same.

A picture is called by its file's name without the ending. Where two values would be called alike,
as ``a/cat.jpg`` and ``b/cat.jpg``, both get as much more as tells them apart: the ending, or as
many of their folders as it takes.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from nst.config.samples import PICTURE_ENDINGS

_LONGEST = 60  # letters of a word in a label
_STEERING = ("Cc", "Cs")  # control characters, and halves of characters
_TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_FILE = re.compile(rf"\.({'|'.join(PICTURE_ENDINGS)}|pth?|safetensors)$", re.I)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)


def labels(values: Sequence[str]) -> dict[str, str]:
    """{value: its label}; no two values have the same one.

    >>> labels(["a/cat.jpg", "b/cat.jpg", "photos/dog.jpg"])
    {'a/cat.jpg': 'a/cat', 'b/cat.jpg': 'b/cat', 'photos/dog.jpg': 'dog'}
    >>> labels(["swirl", "mine/swirl.png", "conv_1"])
    {'swirl': 'swirl', 'mine/swirl.png': 'swirl.png', 'conv_1': 'conv_1'}
    """
    chosen = {value: short(value) for value in values}
    for level in range(1, 2 + 2 * max((len(_parts(value)) for value in values), default=0)):
        alike = _alike(chosen.values())
        if not alike:
            return chosen
        chosen = {v: _longer(v, level) if label in alike else label for v, label in chosen.items()}
    return _numbered(chosen)


def short(value: str) -> str:
    """One value as a label: on one line, and of a word that fills one its beginning and its end.

    >>> short("[conv_1,conv_2]"), short("'pictures/my cat.jpg'"), short("conv_1-5")
    ('conv_1, conv_2', 'my cat', 'conv_1-5')
    >>> short("x" * 70 + "y.png")
    'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…xxxxxxxxxy'
    """
    bare = printable(unquoted(value))
    if bare.startswith("[") and bare.endswith("]"):
        return ", ".join(part.strip() for part in bare[1:-1].split(","))
    return _cut(PurePath(bare).stem if _FILE.search(bare) else bare)


def unquoted(value: str) -> str:
    r"""A value of Hydra's grammar as the text that it means, where it is quoted.

    >>> print(unquoted(r"'it\'s'"), unquoted("conv_1"), unquoted(r"'\${x}.png'"), sep="; ")
    it's; conv_1; ${x}.png
    """
    if not _QUOTED.fullmatch(value):
        return value
    escaped = rf"(\\+)(?={value[0]}|\Z)"  # only there a backslash means more than itself
    text = re.sub(escaped, lambda found: "\\" * (len(found[1]) // 2), value[1:-1])
    return re.sub(r"(\\+)(?=\$\{)", lambda found: "\\" * (len(found[1]) // 2), text)


def printable(text: str) -> str:
    """Text on one line, without what steers a screen or turns the direction of what follows.

    >>> printable("a\\nb\\u202egnp.exe\\x1b[31m")
    'a bgnp.exe[31m'
    """
    line = " ".join(text.split())
    return "".join(
        c for c in line if unicodedata.category(c) not in _STEERING and c not in _TURNING
    )


def _alike(names: Iterable[str]) -> set[str]:
    """Labels that are there more than once."""
    return {name for name, count in Counter(names).items() if count > 1}


def _parts(value: str) -> tuple[str, ...]:
    """The folders and the name of a file; of any other value nothing."""
    bare = printable(unquoted(value))
    return PurePath(bare).parts if _FILE.search(bare) else ()


def _longer(value: str, level: int) -> str:
    """A file's label with its ending (an odd level), and with half as many of its folders.

    Another value stays as it is. Level 1 is ``cat.jpg``, 2 ``a/cat``, 3 ``a/cat.jpg`` and so on.
    """
    parts = _parts(value)
    if not parts:
        return short(value)
    *folders, file = parts
    name = file if level % 2 else PurePath(file).stem
    return _cut("/".join([*folders[max(0, len(folders) - level // 2) :], name]).replace("//", "/"))


def _cut(text: str) -> str:
    """A text whose long words have lost their middles."""
    return re.sub(rf"\S{{{_LONGEST + 1},}}", lambda word: f"{word[0][:40]}…{word[0][-10:]}", text)


def _numbered(chosen: dict[str, str]) -> dict[str, str]:
    """Labels with a number behind those that are still alike, as names cut in their middles are."""
    alike, taken = _alike(chosen.values()), set(chosen.values())
    told = {}
    for value, label in chosen.items():
        numbers = (f"{label} ({number})" for number in itertools.count(1))
        told[value] = next(n for n in numbers if n not in taken) if label in alike else label
        taken.add(told[value])
    return told
