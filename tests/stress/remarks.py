"""Good runs, of which nothing is to be said, and bad ones: ``python -m tests.stress.remarks``.

Every sample as a texture, as a reconstruction and, with every other one as its style, as a
transfer; then runs whose picture is known to be none. A line for each run that was not judged as it
should be, and how many there were.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

import nst
from nst.config.samples import SAMPLES
from nst.runs.context import Context
from nst.runs.job import run_job

BAD = (
    ("preset=neural_style", "backbone=vgg19_mini"),
    ("optimizer=sgd", "optimizer.lr=1e9"),
    ("optimizer=sgd", "optimizer.lr=1e-12"),
    ("loss.content_weight=1e12",),
    ("task=content", "optimizer=adam", "optimizer.lr=1000"),
    ("task=content", "init=content", "loss.tv_weight=0"),
    ("task=texture", "init=noise", "init.amplitude=0.5", "optimizer=adam", "optimizer.lr=1e-6"),
    ("task=texture", "loss.tv_weight=1e6"),
    ("content={folder}/black.png",),
    ("style={folder}/white.png",),
)
"""Overrides of runs whose picture is of one colour, noise, or its start, or made of no picture."""


def good() -> Iterator[tuple[str, ...]]:
    """Overrides of runs whose picture is one."""
    for name in SAMPLES:
        yield "task=texture", f"style={name}"
        yield "task=content", f"content={name}"
        for other in SAMPLES:
            if other != name:
                yield f"content={name}", f"style={other}"


def said(folder: Path, *overrides: str) -> list[str]:
    """The warnings of a run."""
    cfg = nst.compose(*overrides, "device=cpu", "logger=none")
    warnings: list[str] = run_job(cfg, Context(folder))["warnings"]
    return warnings


def run(size: int, steps: int, every: int) -> Iterator[tuple[tuple[str, ...], list[str], bool]]:
    """Overrides, warnings, and whether there should be some; of the good ones every so many."""
    given = (f"size={size}", f"optimizer.steps={steps}")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for color in ("black", "white"):
            Image.new("RGB", (size, size), color).save(root / f"{color}.png")
        bad = [tuple(each.format(folder=root) for each in overrides) for overrides in BAD]
        cases = [
            *((each, False) for each in list(good())[::every]),
            *((each, True) for each in bad),
        ]
        for number, (overrides, is_bad) in enumerate(cases):
            yield overrides, said(root / str(number), *overrides, *given), is_bad


def main() -> None:
    """The long form."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", type=int, default=96, help="longest side in pixels")
    parser.add_argument("--steps", type=int, default=60, help="of every run")
    parser.add_argument("--every", type=int, default=1, help="only every so many of the good runs")
    arguments = parser.parse_args()
    judged = {False: 0, True: 0}
    wrong = {False: 0, True: 0}
    for overrides, warnings, is_bad in run(arguments.size, arguments.steps, arguments.every):
        judged[is_bad] += 1
        if bool(warnings) != is_bad:
            wrong[is_bad] += 1
            print(" ".join(overrides), *warnings, sep="\n    ", flush=True)
    print(f"{wrong[False]} of {judged[False]} good runs were remarked on")
    print(f"{wrong[True]} of {judged[True]} bad runs were not")


if __name__ == "__main__":
    main()
