from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from nst.reports.sweeps import Sweep
from tests.experiments.studies.runs import C, Cell, N, P, R, answer, only, sweep_of, without

NAME = "weights"
FALL, NEARER, RATIO = "small_content_weights_give_way", "style_comes_nearer", "the_ratio_decides"
STYLE, CONTENT = "loss.style_weight", "loss.content_weight"
STYLES, CONTENTS = ("500", "50", "5"), ("1", "0.1", "0.01")

Measure = Callable[[float, float], float]


def by_ratio(style: float, content: float) -> float:
    """0.6 at ratio 5, 0.12 less for each power of ten."""
    return 0.6 - 0.12 * math.log10(style / content / 5) if content else 0.0


def nearer(style: float, content: float) -> float:
    return 0.5 - 0.1 * math.log10(style)


def pairs(
    kept: Measure = by_ratio,
    distance: Measure = nearer,
    styles: tuple[str, ...] = STYLES,
    contents: tuple[str, ...] = CONTENTS,
    **columns: object,
) -> Sweep:
    """Content kept and style distance for each pair of a style weight and a content weight."""

    def measure(cell: Cell) -> dict[str, float]:
        style, content = float(cell[STYLE]), float(cell[CONTENT])
        return {
            f"config.{STYLE}": style,
            f"config.{CONTENT}": content,
            "content_kept": kept(style, content),
            "style_distance": distance(style, content),
        }

    return sweep_of({STYLE: styles, CONTENT: contents}, measure, **{"task": "transfer", **columns})


@pytest.mark.parametrize(
    ("claim", "runs", "verdict"),
    [
        (FALL, pairs(), R),
        (FALL, pairs(lambda s, c: 0.5 + 0.03 * math.log10(c)), P),
        (FALL, pairs(lambda s, c: 0.5 + 0.01 * math.log10(c)), N),
        (FALL, pairs(lambda s, c: 0.5 - 0.1 * math.log10(c)), N),
        (NEARER, pairs(), R),
        (NEARER, pairs(distance=lambda s, c: nearer(s, c) if s < 500 or c > 0.01 else 0.6), P),
        (NEARER, pairs(distance=lambda s, c: 0.1 + 0.1 * math.log10(s)), N),
        (NEARER, pairs(distance=lambda s, c: 0.3), N),
        (RATIO, pairs(), R),
        (RATIO, pairs(lambda s, c: by_ratio(s, c) + 0.1 * math.log10(s)), P),
        (RATIO, pairs(lambda s, c: 0.6 - 0.1 * math.log10(s)), N),
    ],
)
def test_a_verdict_by_the_stated_thresholds(claim: str, runs: Sweep, verdict: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == verdict, given.text
    assert given.count >= 2


@pytest.mark.parametrize(
    ("claim", "runs", "why"),
    [
        (FALL, only(pairs(), **{STYLE: "5"}), "1 sample"),
        (FALL, only(pairs(), **{CONTENT: "1"}), "no sample"),
        (FALL, pairs(lambda s, c: by_ratio(s, c) - 0.5), "at the largest content weight"),
        (NEARER, pairs(styles=("50", "5")), "fewer than three style weights"),
        (NEARER, only(pairs(), **{CONTENT: "1"}), "1 sample"),
        (NEARER, only(pairs(), **{STYLE: "5"}), "fewer than three style weights"),
        (RATIO, pairs(lambda s, c: 0.4 + 0.001 * s / 500), "no weight decides"),
        (RATIO, pairs(styles=("5", "6", "7"), contents=("1", "0.1")), "no sample"),
        (RATIO, only(pairs(), **{CONTENT: "1"}), "no sample"),
    ],
)
def test_too_few_runs_or_too_little_in_them_cannot_say(claim: str, runs: Sweep, why: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == C, given.text
    assert why.lower() in given.text.lower()


@pytest.mark.parametrize("claim", [FALL, NEARER, RATIO])
@pytest.mark.parametrize(
    "column", [f"config.{STYLE}", f"config.{CONTENT}", "content_kept", "style_distance"]
)
def test_records_without_a_number_cannot_say(claim: str, column: str) -> None:
    given = answer(NAME, claim, without(pairs(), column))
    assert given.verdict == C
    assert given.text.startswith("The runs have no")


def test_a_weight_of_zero_is_a_weight() -> None:
    runs = pairs(lambda s, c: 0.5 if c else 0.1, contents=("1", "0.1", "0"))
    runs.runs["config.loss.content_weight"] = runs.runs[CONTENT].astype(float)
    assert answer(NAME, FALL, runs).verdict == R
    assert answer(NAME, NEARER, runs).verdict == R
