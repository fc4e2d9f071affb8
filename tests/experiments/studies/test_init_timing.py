from __future__ import annotations

import pandas as pd
import pytest

from nst.reports.sweeps import Sweep
from tests.experiments.studies.runs import C, N, P, R, answer, jitter, only, seeds, sweep_of

NAME = "init_timing"
TIME, KEEPS = "a_step_costs_the_same", "content_start_keeps_more"
STARTS = ("noise", "content")


def starts(
    seconds: tuple[float, float] = (0.10, 0.11),
    kept: tuple[float, float] = (0.4, 0.6),
    spread: float = 0.01,
    names: tuple[str, ...] = STARTS,
    count: int = 3,
    **columns: object,
) -> Sweep:
    """Seconds per step and content kept from noise and from the content."""
    return sweep_of(
        {"init": names, **seeds(count)},
        lambda cell: {
            "seconds_per_step": seconds[names.index(cell["init"])] * (1 + jitter(cell, spread)),
            "content_kept": kept[names.index(cell["init"])]
            + (jitter(cell, spread) if cell["init"] == names[0] else 0),
        },
        **{"task": "transfer", **columns},
    )


def noisy(seconds: float) -> Sweep:
    """Times of the content's start that go up and down by a fifth."""
    runs = starts((0.1, seconds), spread=0)
    content = runs.runs["init"] == "content"
    runs.runs.loc[content, "seconds_per_step"] *= [0.8, 1.0, 1.2]
    return runs


@pytest.mark.parametrize(
    ("claim", "runs", "verdict"),
    [
        (TIME, starts(), R),
        (TIME, starts((0.11, 0.10)), R),
        (TIME, noisy(0.12), P),
        (TIME, noisy(0.085), P),
        (TIME, starts((0.10, 0.15)), N),
        (TIME, starts((0.15, 0.10)), N),
        (KEEPS, starts(), R),
        (KEEPS, starts(kept=(0.57, 0.6)), P),
        (KEEPS, starts(kept=(0.5, 0.6), spread=0.08), P),
        (KEEPS, starts(kept=(0.6, 0.6)), N),
        (KEEPS, starts(kept=(0.6, 0.5)), N),
    ],
)
def test_a_verdict_by_the_stated_thresholds(claim: str, runs: Sweep, verdict: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == verdict, given.text
    assert given.count == 3


@pytest.mark.parametrize(
    ("claim", "runs", "why"),
    [
        (TIME, starts(count=1), "1 sample"),
        (KEEPS, starts(count=1), "1 sample"),
        (TIME, only(starts(), init="noise"), "1 value of init"),
        (KEEPS, starts(names=("noise", "style")), "content is missing"),
        (KEEPS, starts(names=("smooth_noise", "content")), "noise is missing"),
        (KEEPS, starts(kept=(0.0, 0.2)), "not to be found"),
        (TIME, starts(batch=6), "shared a batch"),
        (TIME, starts(steps=4), "fewer than 20 steps"),
        (TIME, starts(task="content"), "the study is of task=transfer"),
    ],
)
def test_too_few_runs_or_too_little_in_them_cannot_say(claim: str, runs: Sweep, why: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == C, given.text
    assert why in given.text


@pytest.mark.parametrize(
    ("column", "values", "why"),
    [
        ("device_name", ("CPU", "H100"), "several devices: CPU, H100"),
        ("threads", (1, 2), "several numbers of threads: 1, 2"),
    ],
)
def test_times_of_several_machines_cannot_be_compared(
    column: str, values: tuple[object, object], why: str
) -> None:
    runs = starts()
    runs.runs[column] = pd.Series([values[0]] * 3 + [values[1]] * 3)
    given = answer(NAME, TIME, runs)
    assert given.verdict == C
    assert why in given.text
    assert answer(NAME, KEEPS, runs).verdict == R


def test_a_time_needs_no_picture_but_content_kept_does() -> None:
    runs = starts()
    runs.runs["not_a_picture"] = "its picture is noise"
    assert answer(NAME, TIME, runs).verdict == R
    assert answer(NAME, KEEPS, runs).verdict == C


@pytest.mark.parametrize("key", ["init", "init.kind"])
def test_the_start_is_what_the_run_had_whichever_key_chose_it(key: str) -> None:
    runs = sweep_of(
        {key: STARTS, **seeds(3)},
        lambda cell: {"content_kept": 0.6 if cell[key] == "content" else 0.4 + jitter(cell)},
    )
    runs.runs["config.init.kind"] = runs.runs[key]
    assert answer(NAME, KEEPS, runs).verdict == R


def test_starts_that_are_one_and_the_same_cannot_say() -> None:
    runs = starts()
    runs.runs["config.init.kind"] = "noise"  # as init.kind=noise leaves both
    given = answer(NAME, KEEPS, runs)
    assert given.verdict == C
    assert "1 value of init" in given.text
