"""Numbers of a sweep's runs, and the words that captions have for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from nst.reports.measuring.quantities import quantity
from nst.reports.sweeps import Axis, Sweep

TOPS = {"psnr": 60.0}
"""Where a scale ends: equal pictures have a PSNR of 100 dB, which would flatten the rest."""


def listed(words: Sequence[str]) -> str:
    """Words as a sentence has them.

    >>> listed(["PSNR", "SSIM", "time"]), listed(["PSNR"])
    ('PSNR, SSIM and time', 'PSNR')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def names(columns: Iterable[str]) -> str:
    """What columns measure, as a sentence has it."""
    return listed([quantity(column).name for column in columns])


def repeats(sweep: Sweep, shown: Iterable[Axis | None]) -> str:
    """How many runs share the values of the axes that a figure shows, and what differs in them.

    Returns:
        As "3 runs (seed)", "2 to 3 runs (seed and init)" or "1 run".
    """
    keys = [axis.key for axis in shown if axis is not None]
    counts = sweep.runs.groupby(keys).size() if keys else pd.Series([len(sweep.runs)])
    least, most = int(counts.min()), int(counts.max())
    count = f"{least}" if least == most else f"{least} to {most}"
    others = [axis.label for axis in sweep.axes if axis.key not in keys]
    note = f" ({listed(others)})" if others and most > 1 else ""
    return f"{count} run{'' if most == 1 else 's'}{note}"


def top_note(sweep: Sweep, columns: Iterable[str]) -> str:
    """A sentence for what lies above the end of its scale; empty where nothing does."""
    above = [c for c in columns if c in TOPS and (sweep.numbers(c) > TOPS[c]).any()]
    return "".join(
        f" {quantity(c).name} above {TOPS[c]:g} {quantity(c).unit} stands at {TOPS[c]:g}."
        for c in above
    )


def capital(text: str) -> str:
    """A sentence's first letter, large."""
    return text[:1].upper() + text[1:]
