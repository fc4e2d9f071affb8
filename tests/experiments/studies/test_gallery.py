from __future__ import annotations

import math

import pytest

from nst.reports.sweeps import Sweep
from tests.experiments.studies.runs import C, N, P, R, answer, only, sweep_of, without

NAME = "gallery"
OWN, TAKEN, STAYS = "each_takes_its_own_style", "style_is_taken_on", "content_stays"
CONTENTS, STYLES = ("astronaut", "chelsea"), ("mosaic", "swirl")
Four = tuple[float, float, float, float]


def pictures(
    distance: Four = (0.2, 0.2, 0.22, 0.22),
    other: Four = (0.6, 0.6, 0.7, 0.7),
    kept: Four = (0.6, 0.55, 0.6, 0.55),
    contents: tuple[str, ...] = CONTENTS,
    styles: tuple[str, ...] = STYLES,
    **columns: object,
) -> Sweep:
    """Two photographs × two styles."""
    cells = [(content, style) for content in contents for style in styles]
    return sweep_of(
        {"content": contents, "style": styles},
        lambda cell: {
            "style_distance": distance[cells.index((cell["content"], cell["style"]))],
            "other_style_distance": other[cells.index((cell["content"], cell["style"]))],
            "content_kept": kept[cells.index((cell["content"], cell["style"]))],
        },
        **{"task": "transfer", "photo_distance": 1.0, **columns},
    )


@pytest.mark.parametrize(
    ("claim", "runs", "verdict"),
    [
        (OWN, pictures(), R),
        (OWN, pictures(other=(0.6, 0.6, 0.7, 0.2)), P),
        (OWN, pictures(other=(0.19, 0.19, 0.1, 0.2)), N),
        (OWN, pictures(other=(0.2, 0.2, 0.22, 0.22)), N),
        (TAKEN, pictures(), R),
        (TAKEN, pictures((0.5, 0.5, 0.7, 0.8)), P),
        (TAKEN, pictures((0.2, 0.2, 0.2, 0.61)), P),
        (TAKEN, pictures((0.8, 0.8, 0.9, 0.9)), N),
        (STAYS, pictures(), R),
        (STAYS, pictures(kept=(0.35, 0.36, 0.5, 0.4)), P),
        (STAYS, pictures(kept=(0.1, 0.2, 0.3, 0.2)), N),
    ],
)
def test_a_verdict_by_the_stated_thresholds(claim: str, runs: Sweep, verdict: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == verdict, given.text
    assert given.count == 4


def test_every_means_every() -> None:
    """One cat that nobody finds among seven that are clear, one result nearest to another style."""
    many = {"contents": tuple("abcd"), "styles": STYLES}
    kept, other = (0.6,) * 7 + (0.36,), (0.6,) * 7 + (0.19,)
    runs = pictures((0.2,) * 8, other, kept, **many)  # type: ignore[arg-type]
    for claim in (OWN, STAYS):
        assert answer(NAME, claim, runs).verdict == P
    assert "7 of 8 results" in answer(NAME, OWN, runs).text
    assert "in the worst result 0.36" in answer(NAME, STAYS, runs).text


@pytest.mark.parametrize(
    ("claim", "runs", "why"),
    [
        (OWN, only(pictures(), style="swirl"), "1 value of style"),
        (OWN, pictures(other=(math.nan,) * 4), "no other style distance"),
        (OWN, without(pictures(), "other_style_distance"), "no other style distance"),
        (TAKEN, pictures(photo_distance=math.nan), "no photo distance"),
        (TAKEN, pictures(photo_distance=0.0), "No sample"),
        (TAKEN, only(pictures(), content="chelsea", style="swirl"), "1 sample"),
        (STAYS, only(pictures(), content="chelsea", style="swirl"), "1 sample"),
        (STAYS, without(pictures(), "content_kept"), "no content kept"),
        (STAYS, pictures(task="texture"), "the study is of task=transfer"),
    ],
)
def test_too_few_runs_or_too_little_in_them_cannot_say(claim: str, runs: Sweep, why: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == C, given.text
    assert why in given.text
