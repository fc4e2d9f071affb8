"""Sweeps that are killed at random moments and resumed: ``python -m tests.stress.kill --count 40``.

Each trial starts the same sweep, sends it KILL, TERM or INT at a random moment, and goes on with
``resume=true``, which may be killed again. What then must hold:

- a signal that can be heard ends the program with its status, and it says how to go on;
- no record and no trace that looks whole is half of one;
- a job that was complete is not run again;
- at the end every job is there, and its picture and losses are those of an undisturbed sweep, byte
  for byte.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent.parent
SWEEP = [
    *("-m", "init=noise", "seed=0,1,2,3", "size=48", "optimizer.steps=120", "device=cpu"),
    *("threads=1", "checkpoint_every=10", "logger=none", "report=false"),
]
JOBS = 4
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TIMEOUT = 300.0


@dataclass
class Tally:
    """What happened in all trials together."""

    signals: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    resumed: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        sent = ", ".join(f"{count} {name}" for name, count in sorted(self.signals.items()))
        return (
            f"signals: {sent or 'none'}; complete jobs that were kept: {self.kept}; jobs that went "
            f"on from a checkpoint: {self.resumed}; {self.seconds:.0f} s"
        )


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    """The sweep, in a process of its own."""
    command = [sys.executable, str(ROOT / "run.py"), *SWEEP, f"hydra.sweep.dir={folder}", *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=folder.parent, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Status, output and errors of a process at its end."""
    output, errors = process.communicate(timeout=TIMEOUT)
    return process.returncode, output, errors


def records(folder: Path) -> dict[str, tuple[int, dict[str, object]]]:
    """{job: (when its record was written, the record)}; every record that is there is whole."""
    found = {}
    for file in folder.rglob("record.json"):
        found[file.parent.name] = (file.stat().st_mtime_ns, json.loads(file.read_text()))
    return found


def complete(folder: Path) -> dict[str, int]:
    """{job: when its record was written} of complete jobs."""
    return {
        job: when for job, (when, record) in records(folder).items()
        if record["status"] == "completed"
    }  # fmt: skip


def results(folder: Path) -> dict[str, tuple[bytes, str]]:
    """{job: (its picture, its losses)}; seconds are left out."""
    found = {}
    for job in complete(folder):
        trace = pd.read_csv(folder / job / "trace.csv", dtype=str).drop(columns="seconds")
        found[job] = ((folder / job / "image.png").read_bytes(), trace.to_csv())
    return found


def disturbed(
    folder: Path, chance: random.Random, longest: float, tally: Tally, *more: str
) -> None:
    """Start the sweep and send it a signal at a random moment, then check what it left."""
    number = chance.choice(SIGNALS)
    traces = set(folder.rglob("trace.csv"))
    process = start(folder, *more)
    if chance.random() < 0.2:  # while it starts
        time.sleep(chance.uniform(0, 5))
    else:  # while it runs
        while process.poll() is None and set(folder.rglob("trace.csv")) == traces:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, longest))
    process.send_signal(number)
    status, output, errors = finish(process)
    tally.signals[number.name] += 1
    if status == 0:
        return  # it had ended before
    early = status == -number and not errors  # Python itself was still starting
    if number == signal.SIGKILL or early:
        assert status == -number, (status, output, errors)
    elif "KeyboardInterrupt" in errors:  # while modules were imported, before anything was begun
        records(folder)  # whole, if there are any
    else:
        assert status == 128 + number, (status, output, errors)
        assert "interrupted" in errors, errors
        assert "Traceback" not in errors, errors


def trial(root: Path, chance: random.Random, longest: float, tally: Tally) -> Path:
    """One sweep, disturbed once or more and then resumed to its end; its folder."""
    folder = root / "sweep"
    disturbed(folder, chance, longest, tally)
    while True:
        before = complete(folder) if folder.exists() else {}
        if chance.random() < 0.3:
            disturbed(folder, chance, longest, tally, "resume=true")
            last = False
        else:
            status, output, errors = finish(start(folder, "resume=true"))
            assert status == 0, (output, errors)
            last = True
        after = complete(folder) if folder.exists() else {}
        assert before.items() <= after.items(), "a complete job was run again"
        tally.kept += len(before) if last else 0
        if last:
            break
    assert not list(folder.rglob("*.part")), "half of a file stayed"
    assert not list(folder.rglob("checkpoint.pt"))
    every = records(folder).values()
    tally.resumed += sum(record["resumed_at"] is not None for _, record in every)
    return folder


def run(count: int, seed: int) -> Iterator[Tally]:
    """Trials, each with the tally so far.

    Raises:
        AssertionError: something was lost, run twice, or came out otherwise.
    """
    tally, chance, began = Tally(), random.Random(seed), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        reference = Path(name) / "reference"
        process = start(reference)
        while process.poll() is None and not list(reference.rglob("trace.csv")):
            time.sleep(0.01)
        begin = time.monotonic()
        while process.poll() is None and len(complete(reference)) < JOBS:
            time.sleep(0.01)
        longest = time.monotonic() - begin  # from the first step to the last record
        status, output, errors = finish(process)
        assert status == 0, (output, errors)
        expected = results(reference)
        for number in range(count):
            root = Path(name) / str(number)
            root.mkdir()
            assert results(trial(root, chance, longest, tally)) == expected
            tally.seconds = time.monotonic() - began
            yield tally


def main() -> None:
    """The long form."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=40, help="sweeps to disturb")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    arguments = parser.parse_args()
    for number, tally in enumerate(run(arguments.count, arguments.seed), start=1):
        print(f"{number}/{arguments.count} {tally}", flush=True)


if __name__ == "__main__":
    main()
