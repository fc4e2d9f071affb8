"""The same runs in two checkouts.

Question: does a change move any number?
Command: ``python -m experiments.compare_checkouts OLD NEW``, two folders with this project, for
instance of ``git worktree add OLD COMMIT``; ``--only preset`` or ``--only layer_grid`` for some.
Cost: ten minutes on two cores: the default run, every preset for three steps with the network that
ships and with random filters of its own, every study in its quick size.
Finding: a line per run, and exit status 1 where losses are further apart than ``--tolerance``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

SHORT = ("optimizer.steps=3", "size=256", "passes=[]")
SIDE_KEYS = ("study", "logger", "report", "hydra")
Losses = list[tuple[str, float]]


def commands(root: Path) -> dict[str, list[str]]:
    """What to run, by name, as far as a checkout has it."""
    named = {"default": list[str]()}
    for file in sorted((root / "conf" / "preset").glob("*.yaml")):
        preset = [f"preset={file.stem}", *SHORT]
        named[f"preset {file.stem}"] = [*preset, "backbone.weights=random"]
        named[f"preset {file.stem}, vgg16_mini"] = [*preset, "backbone=vgg16_mini"]
    for file in sorted((root / "conf" / "study").glob("*.yaml")):
        named[f"study {file.stem}"] = ["-m", f"study={file.stem}", "study.size=quick"]
    return named


def losses(root: Path, arguments: list[str]) -> Losses:
    """Overrides and final loss of each job, in order; one thread, so that sums have one order."""
    with TemporaryDirectory() as folder:
        mode = "sweep" if "-m" in arguments else "run"
        quiet = ["logger=none", "report=false", f"hydra.{mode}.dir=run"]
        subprocess.run(
            [sys.executable, str(root / "run.py"), *arguments, *quiet],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            check=True,
        )
        files = sorted(Path(folder).rglob("record.json"), key=_number)
        records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [
        (" ".join(o for o in r["overrides"] if not o.startswith(SIDE_KEYS)), r["losses"]["total"])
        for r in records
    ]


def _number(record: Path) -> int:
    """A job's number in its sweep, as its folder's name begins."""
    first = record.parent.name.partition("_")[0]
    return int(first) if first.isdigit() else 0


def compare(old: Path, new: Path, only: str) -> Iterator[tuple[str, float]]:
    """Each job of each command, and how far its two losses are apart, relative to the old one."""
    for name, arguments in commands(old).items():
        if only in name:
            pairs = zip(losses(old, arguments), losses(new, arguments), strict=True)
            for (job, before), (_, after) in pairs:
                yield f"{name}: {job}", abs(after - before) / abs(before)


def main() -> None:
    """Print every difference; exit with 1 where one is too large."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("old", type=Path, help="a checkout")
    parser.add_argument("new", type=Path, help="another")
    parser.add_argument("--only", default="", help="commands whose name has this in it")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="relative, of the total loss")
    arguments = parser.parse_args()
    worst = 0.0
    for job, apart in compare(arguments.old.resolve(), arguments.new.resolve(), arguments.only):
        print(f"{apart:9.1e}  {job}", flush=True)
        worst = max(worst, apart)
    print(f"{worst:9.1e}  is the largest difference; {arguments.tolerance:g} is allowed")
    sys.exit(int(worst > arguments.tolerance))


if __name__ == "__main__":
    main()
