"""Seconds are those that passed, whatever the machine's clock says."""

from __future__ import annotations

import ast
import csv
import itertools
import json
import time
from pathlib import Path

import pytest

from nst.runs.context import Context
from nst.runs.job import run_job
from tests.conftest import Compose

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = [*(ROOT / "nst").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")]

HOUR = 3600.0


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forwards", "backwards"])
@pytest.mark.slow
def test_a_clock_that_jumps_an_hour_at_every_look_spoils_no_seconds(
    composed: Compose,
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    jump: float,
) -> None:
    clock = itertools.count(1e9, jump)
    monkeypatch.setattr(time, "time", lambda: next(clock))
    monkeypatch.setattr(time, "time_ns", lambda: int(1e9 * next(clock)))
    begin = time.perf_counter()
    run_job(composed("optimizer.steps=3", "snapshot_every=1"), Context(run_folder))
    passed = time.perf_counter() - begin
    record = json.loads((run_folder / "record.json").read_text())
    assert 0 < record["seconds_setup"] < passed
    assert 0 < record["seconds"] <= record["loop_seconds"] < passed
    with (run_folder / "trace.csv").open(newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    assert seconds[0] > 0
    assert seconds == sorted(seconds)
    assert seconds[-1] < passed


def test_no_code_takes_seconds_from_the_clock_on_the_wall() -> None:
    """``datetime`` is for dates, in a record and on a report."""
    wrong = []
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            named = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                named = " ".join(f"time.{alias.name}" for alias in node.names)
            if {"time.time", "time.time_ns"} & set(named.split()):
                wrong.append(f"{file.relative_to(ROOT)}: {named}")
    assert wrong == []
