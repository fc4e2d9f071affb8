"""Which job of a sweep begins, and how long the rest takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nst.command.remaining import Remaining, job_line
from nst.reports.sweep_plan import SweepPlan
from tests.conftest import Compose


def record(seconds: float, batch: int = 1) -> dict[str, Any]:
    return {"loop_seconds": seconds * batch, "batch": batch, "seconds_setup": 0.0}


def sweep(composed: Compose, *overrides: str, complete: tuple[int, ...] = ()) -> Remaining:
    remaining = Remaining()
    for number, each in enumerate(overrides):
        remaining.expect(composed("optimizer.steps=9", each), number in complete)
    return remaining


def test_the_first_job_tells_how_long_the_rest_takes(composed: Compose) -> None:
    remaining = sweep(composed, "seed=0", "seed=1", "seed=2", "seed=3")
    assert remaining.seconds is None
    remaining.end(0, record(10))
    assert remaining.seconds == pytest.approx(30)
    remaining.end(1, record(20))
    assert remaining.seconds == pytest.approx(30)
    remaining.end(2, None)  # it failed
    assert remaining.seconds is None  # the last job has a forecast of its own


def test_batches_do_not_run_in_the_order_of_the_plan(composed: Compose) -> None:
    remaining = sweep(composed, *(f"seed={n}" for n in range(5)))
    for number in (4, 1):
        remaining.end(number, record(10))
    assert remaining.seconds == pytest.approx(30)


def test_larger_jobs_take_longer(composed: Compose) -> None:
    remaining = sweep(composed, "size=32", "size=64", "size=128")
    remaining.end(0, record(1))
    assert remaining.seconds == pytest.approx(4 + 16)


def test_jobs_that_are_complete_take_nothing(composed: Compose) -> None:
    remaining = sweep(composed, *(f"seed={n}" for n in range(5)), complete=(0, 2))
    remaining.end(0, record(100))  # it was kept: no measure
    assert remaining.seconds is None
    remaining.end(1, record(10))
    assert remaining.seconds == pytest.approx(20)


def test_a_job_of_a_batch_counts_with_its_share(composed: Compose) -> None:
    remaining = sweep(composed, *(f"seed={n}" for n in range(6)))
    for number in (0, 1):
        remaining.end(number, record(10, batch=2))
    assert remaining.seconds == pytest.approx(40)


def test_a_job_says_its_number_and_what_varies(composed: Compose, tmp_path: Path) -> None:
    jobs = [["size=32", f"style={style}"] for style in ("ink", "swirl", "dabs")]
    SweepPlan(jobs=jobs).write(tmp_path)
    assert job_line(tmp_path, 0, jobs[0]) == "job 1 of 3: style=ink"
    remaining = sweep(composed, "style=ink", "style=swirl", "style=dabs")
    remaining.end(0, record(150))
    assert job_line(tmp_path, 1, jobs[1], remaining) == "job 2 of 3, about 5 min left: style=swirl"


def test_a_sweep_without_a_plan_has_numbers_all_the_same(tmp_path: Path) -> None:
    assert job_line(tmp_path, 4, ["size=32", "seed=7"]) == "job 5: size=32 seed=7"


def test_a_long_line_is_cut(tmp_path: Path) -> None:
    assert len(job_line(tmp_path, 0, [f"style={'x' * 200}.jpg"])) == 100
