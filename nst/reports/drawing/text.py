"""Labels of any length: measured, broken into lines, and taken letter by letter."""

from __future__ import annotations

import re
from functools import lru_cache

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.textpath import TextToPath

from nst.reports.drawing.style import FONT, SMALL
from nst.reports.measuring.quantities import quantity
from nst.reports.order import is_ordered
from nst.reports.sweeps import Axis

_FAMILY = "DejaVu Sans"
"""It comes with matplotlib, so that a figure is the same on every machine."""

_measure = TextToPath().get_text_width_height_descent


def plain(text: str) -> str:
    """A text as matplotlib takes it letter by letter: no formulas, a box for what the font lacks.

    >>> plain("a$b$ 猫")
    'a\\\\$b\\\\$ □'
    """
    font = _font()
    known = (c if c == "\n" or font.get_char_index(ord(c)) else "□" for c in text)
    return "".join(known).replace("$", r"\$")


@lru_cache(maxsize=1)
def _font() -> FT2Font:
    return get_font(findfont(_FAMILY))


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = SMALL) -> float:
    """How wide the widest line of a text is, in inches.

    Args:
        text: of one line or more
        size: in points
    """
    font = FontProperties(family=_FAMILY, size=size)
    shown = plain(text).replace(r"\$", "$").split("\n")
    return max(float(_measure(line, font, ismath=False)[0]) for line in shown) / 72


def wrapped(text: str, room: float, size: float = SMALL) -> str:
    """A text in lines of at most ``room`` inches, broken between words where it has any.

    A word that is wider than the room is broken after punctuation, else anywhere.
    """
    lines = [""]
    for word in re.findall(r"\s*\S+", text):
        if text_width(lines[-1] + word, size) <= room:
            lines[-1] += word
            continue
        word = word.strip()
        if lines[-1] and (text_width(word, size) <= room or text_width(lines[-1], size) > room / 2):
            lines.append("")
        elif lines[-1]:
            lines[-1] += " "
        _break(word, lines, room, size)
    return "\n".join(line.strip() for line in lines)


def _break(word: str, lines: list[str], room: float, size: float) -> None:
    """Add a word to the last line and to as many new ones as it takes."""
    for part in re.findall(r"[^-_/,.=+]*[-_/,.=+]+|[^-_/,.=+]+", word):
        if text_width(lines[-1] + part, size) > room and text_width(part, size) <= room:
            lines.append("")
        for letter in part:
            if lines[-1] and text_width(lines[-1] + letter, size) > room:
                lines.append("")
            lines[-1] += letter


def measure_label(column: str, room: float) -> str:
    """What a column measures and its unit, as an axis has it; the unit below where it must be."""
    of = quantity(column)
    if not of.unit or text_width(of.label, FONT) <= room:
        return plain(wrapped(of.label, room, FONT))
    return plain(wrapped(f"{of.name},", room, FONT) + f"\n{of.unit}")


def name_ticks(axes: Axes, axis: Axis, room: float) -> float:
    """An axis' name and values along x: beside each other where they fit, else slanted.

    Args:
        axes: where value number i stands at x = i
        axis: of a sweep
        room: the plot's width in inches

    Returns:
        How high the values are, in inches.
    """
    each = 0.92 * room / len(axis.values)
    places, labels = list(range(len(axis.values))), list(axis.labels)
    axes.set_xlabel(plain(axis.label))
    broken = [wrapped(label, each) for label in labels]
    is_readable = each > 0.45 and max(text.count("\n") for text in broken) < 6
    if is_readable or all("\n" not in text for text in broken):
        axes.set_xticks(places, [plain(text) for text in broken])
        return 0.125 * (1 + max(text.count("\n") for text in broken))
    if is_ordered(axis):
        step = 1 + int(0.11 / each)
        places, labels = places[::step], labels[::step]
    size = SMALL if each > 0.11 or is_ordered(axis) else max(4.0, SMALL * each / 0.11)
    rooms = (1.3, 2.0, 2.6)  # upright labels are longer where their lines would not fit
    for long in rooms:
        slanted = [wrapped(label, long, size) for label in labels]
        across = 0.13 * size / SMALL * (1 + max(text.count("\n") for text in slanted))
        if across < each:
            break
    angle = 45 if 1.2 * across < each else 90
    axes.set_xticks(places, [plain(text) for text in slanted], fontsize=size)
    for tick in axes.get_xticklabels():
        tick.set(rotation=angle, rotation_mode="anchor", ha="right", va="center")
    longest = max(text_width(text, size) for text in slanted)
    return longest if angle == 90 else 0.71 * (longest + across)
