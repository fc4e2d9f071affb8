from __future__ import annotations

import pytest

from nst.reports.sweeps import Sweep
from tests.experiments.studies.runs import C, N, P, R, answer, jitter, only, seeds, sweep_of

NAME = "texture_layers"
FIRST, DEEP = "first_five_are_nearest", "deep_sets_turn_to_noise"
SETS = ("conv_1-5", "conv_6-10", "conv_11-15", "conv_9-12", "conv_1-16")
DISTANCES = (0.2, 0.6, 0.9, 0.8, 0.2)
ROUGHNESS = (1.0, 1.3, 2.5, 2.2, 1.0)


def textures(
    distances: tuple[float, ...] = DISTANCES,
    roughness: tuple[float, ...] = ROUGHNESS,
    sets: tuple[str, ...] = SETS,
    spread: float = 0.01,
    count: int = 3,
    **columns: object,
) -> Sweep:
    """A style distance and a roughness for each set of layers."""
    distance = dict(zip(sets, distances, strict=True))
    rough = dict(zip(sets, roughness, strict=True))
    return sweep_of(
        {"style_layers": sets, **seeds(count)},
        lambda cell: {
            "style_distance": distance[cell["style_layers"]] + jitter(cell, spread),
            "roughness": rough[cell["style_layers"]] + jitter(cell, spread),
        },
        **{"task": "texture", **columns},
    )


@pytest.mark.parametrize(
    ("claim", "runs", "verdict"),
    [
        (FIRST, textures(), R),
        (FIRST, textures((0.50, 0.48, 0.9, 0.8, 0.2)), P),
        (FIRST, textures((0.6, 0.2, 0.9, 0.8, 0.2)), N),
        (DEEP, textures(), R),
        (DEEP, textures(roughness=(1, 1, 1.6, 2, 1), spread=0.2), P),
        (DEEP, textures(roughness=(1.6, 1, 2.5, 2.6, 1)), P),
        (DEEP, textures(roughness=(1.0, 1, 1.2, 1.1, 1)), N),
        (DEEP, textures(roughness=(2.2, 2, 2.3, 2.2, 2)), N),
        (DEEP, textures(roughness=(1.7, 1, 1.6, 1.6, 1), spread=0.2), N),
    ],
)
def test_a_verdict_by_the_stated_thresholds(claim: str, runs: Sweep, verdict: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == verdict, given.text
    assert given.count == 3


@pytest.mark.parametrize(
    ("claim", "runs", "why"),
    [
        (FIRST, textures(count=1), "1 sample"),
        (DEEP, textures(count=1), "1 sample"),
        (FIRST, only(textures(), style_layers="conv_1-5"), "1 value"),
        (DEEP, only(textures(), style_layers="conv_9-12"), "1 value"),
        (FIRST, textures((0.2, 0.6), (1, 2), ("conv_1-5", "conv_1-16")), "windows of five"),
        (DEEP, textures((0.2, 0.6), (1, 2), ("conv_1-5", "conv_5-8")), "No set begins"),
        (FIRST, textures((0.2, 0.6), (1, 2), ("conv_2-6", "conv_3-7")), "no run of conv_1-5"),
        (DEEP, textures((0.2, 0.6), (1, 2), ("conv_9-12", "conv_11-15")), "no run of conv_1-5"),
        (FIRST, textures(task="transfer"), "the study is of task=texture"),
    ],
)
def test_too_few_runs_cannot_say(claim: str, runs: Sweep, why: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == C
    assert why in given.text


@pytest.mark.parametrize("claim", [FIRST, DEEP])
def test_where_the_first_five_are_noise_too_nothing_can_be_said(claim: str) -> None:
    runs = textures(roughness=(3.0, 3, 3, 3, 3))
    runs.runs["not_a_picture"] = "its picture is noise"
    given = answer(NAME, claim, runs)
    assert given.verdict == C
    assert "conv_1-5" in given.text
    assert "its picture is noise" in given.text


def test_deep_sets_that_are_noise_are_what_the_claim_is_about() -> None:
    runs = textures()
    deep = runs.runs["style_layers"].isin(["conv_9-12", "conv_11-15"])
    runs.runs.loc[deep, "not_a_picture"] = "its picture is noise"
    assert answer(NAME, DEEP, runs).verdict == R
    assert answer(NAME, FIRST, runs).verdict == R


def test_sets_too_deep_for_the_size_are_left_out_and_named() -> None:
    runs = textures()
    deep = runs.runs["style_layers"].isin(["conv_9-12", "conv_11-15"])
    runs.runs.loc[deep, "too_small"] = "4 positions"
    given = answer(NAME, DEEP, runs)
    assert given.verdict == C
    assert "No set begins at conv_9 or deeper" in given.text
    assert "4 positions" in given.text


def test_lists_of_layers_are_the_sets_that_they_name() -> None:
    names = ("[conv_1,conv_2,conv_3,conv_4,conv_5]", "conv_6-10", "conv_11-15",
             "[conv_9,conv_10,conv_11,conv_12]", "conv_1-16")  # fmt: skip
    for claim in (FIRST, DEEP):
        given = answer(NAME, claim, textures(sets=names))
        assert given.verdict == R, given.text
        assert "conv_1-5" in given.text
