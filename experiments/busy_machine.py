"""Runs beside each other on one machine.

Question: how long is a step of the default run alone, and beside another like it, with threads
that spin while they wait, with threads that sleep, and with one thread each?
Command: ``python -m experiments.busy_machine``; ``--spins 100 1000`` adds threads that look so
often before they sleep (libgomp), ``--programs 1 2 4`` more programs.
Cost: six minutes on two cores that do nothing else.
Finding: docs/performance.md.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tqdm import tqdm

WARM = 10
"""Steps at the start that do not count."""

Case = tuple[dict[str, str], list[str]]
"""What is added to the environment, and to the command line."""

CASES: dict[str, Case] = {
    "threads spin (libgomp's default)": ({"GOMP_SPINCOUNT": "300000"}, []),
    "threads sleep (nst's default)": ({}, []),
    "one thread each": ({}, ["threads=1"]),
}


def together(programs: int, case: Case, overrides: list[str]) -> list[list[float]]:
    """The seconds of each step of programs that start at once, until the first of them is done."""
    added, own = case
    said = ("OMP_", "GOMP_", "KMP_", "MKL_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(said)}
    with TemporaryDirectory() as folder:
        folders = [Path(folder) / str(number) for number in range(programs)]
        command = [sys.executable, "run.py", "device=cpu", "logger=none", *overrides, *own]
        started = [
            subprocess.Popen(
                [*command, f"hydra.run.dir={run}"],
                env=environ | added,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for run in folders
        ]
        try:
            while all(process.poll() is None for process in started):
                time.sleep(0.05)
            failed = any(process.returncode for process in started)
        finally:
            for process in started:
                process.kill()
                process.wait()
        if failed:
            raise RuntimeError(f"this fails: {' '.join(command)}")
        return [_steps(run / "trace.csv") for run in folders]


def _steps(trace: Path) -> list[float]:
    """Seconds of each step after the first ones; the last line may not be whole."""
    with trace.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    seconds = [float(row["seconds"]) for row in rows[:-1]]
    return [after - before for before, after in itertools.pairwise(seconds)][WARM:]


def line(programs: int, name: str, rounds: list[list[list[float]]]) -> str:
    """A row of the table: medians over the rounds, and their range.

    Args:
        programs: at once
        name: of the case
        rounds: the seconds of each step of each program, round by round
    """
    medians = [statistics.median(s for run in runs for s in run) for runs in rounds]
    rates = [sum(1 / statistics.mean(run) for run in runs if run) for runs in rounds]
    span = f"{min(medians):.3f}–{max(medians):.3f}"
    cells = (programs, name, f"{statistics.median(medians):.3f} ({span})",
             f"{statistics.median(rates):.1f}")  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Measure in turns, and print a table."""
    arguments = _parser().parse_args()
    cases = dict(CASES)
    for spins in arguments.spins:
        cases[f"{spins} looks, then sleep"] = ({"GOMP_SPINCOUNT": str(spins)}, [])
    cells = [(programs, name) for programs in arguments.programs for name in cases]
    measured: dict[tuple[int, str], list[list[list[float]]]] = {cell: [] for cell in cells}
    overrides = [f"size={arguments.size}", f"optimizer.steps={arguments.steps}"]
    for programs, name in tqdm(cells * arguments.rounds, unit="turn"):
        measured[programs, name].append(together(programs, cases[name], overrides))
    print("| programs at once | threads | seconds a step (range) | steps a second in all |")
    print("| --- | --- | --- | --- |")
    for (programs, name), rounds in measured.items():
        print(line(programs, name, rounds))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--programs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--spins", type=int, nargs="*", default=[])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=60, help=f"more than {WARM + 2}")
    parser.add_argument("--rounds", type=int, default=3)
    return parser


if __name__ == "__main__":
    main()
