from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from nst.reports.sweeps import Sweep
from tests.experiments.studies.runs import C, Cell, N, P, R, answer, only, sweep_of, without

NAME = "layer_grid"
EARLY, LAYOUT, LATE = (
    "early_content_layers_keep_pixels",
    "deep_content_layers_keep_layout",
    "late_windows_bring_little_style",
)
LAYERS = ("conv_1", "conv_4", "conv_8", "conv_12")
WINDOWS = ("conv_1-5", "conv_4-8", "conv_11-15")

Measure = Callable[[int, int], float]


def grid(
    ssim: Measure = lambda layer, window: 0.8 - 0.2 * layer,
    layout: Measure = lambda layer, window: 0.8,
    distance: Measure = lambda layer, window: (0.2, 0.5, 0.9)[window],
    layers: tuple[str, ...] = LAYERS,
    windows: tuple[str, ...] = WINDOWS,
    **columns: object,
) -> Sweep:
    """Measures for each pair, by the number of the content layer and of the style window."""

    def measure(cell: Cell) -> dict[str, float]:
        place = layers.index(cell["content_layer"]), windows.index(cell["style_layers"])
        return {"ssim": ssim(*place), "layout": layout(*place), "style_distance": distance(*place)}

    return sweep_of(
        {"content_layer": layers, "style_layers": windows}, measure,
        **{"task": "transfer", "photo_distance": 1.2, **columns},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "runs", "verdict"),
    [
        (EARLY, grid(), R),
        (EARLY, grid(lambda i, j: 0.8 - 0.2 * i if j else 0.1 * i), P),
        (EARLY, grid(lambda i, j: 0.8 - 0.2 * i if j else (0.8, 0.6, 0.5, 0.7)[i]), P),
        (EARLY, grid(lambda i, j: 0.2 * i), N),
        (EARLY, grid(lambda i, j: 0.5), N),
        (LAYOUT, grid(), R),
        (LAYOUT, grid(layout=lambda i, j: 0.8 - 0.2 * j), P),
        (LAYOUT, grid(layout=lambda i, j: 0.5), P),
        (LAYOUT, grid(layout=lambda i, j: 0.3), N),
        (LATE, grid(), R),
        (LATE, grid(distance=lambda i, j: (0.5, 0.5, 0.6)[j]), P),
        (LATE, grid(distance=lambda i, j: 0.5), N),
        (LATE, grid(distance=lambda i, j: (0.9, 0.5, 0.2)[j]), N),
    ],
)
def test_a_verdict_by_the_stated_thresholds(claim: str, runs: Sweep, verdict: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == verdict, given.text
    assert given.count == (4 if claim == LATE else 3)


@pytest.mark.parametrize(
    ("claim", "runs", "why"),
    [
        (EARLY, only(grid(), style_layers="conv_1-5"), "1 value of style_layers"),
        (EARLY, grid(layers=("conv_1", "conv_4")), "2 content layers; three are needed"),
        (LAYOUT, grid(layers=("conv_1", "conv_2", "conv_3")), "no content layer from conv_8"),
        (LAYOUT, only(grid(), content_layer="conv_12"), "content layers; three are needed"),
        (LATE, grid(windows=("conv_2-6", "conv_8-12", "conv_9-13")), "a window from conv_1 on"),
        (LATE, grid(windows=("conv_1-5", "conv_2-6", "conv_3-7")), "one from conv_8 on"),
        (LATE, grid(windows=("[conv_1,conv_3]", "[conv_2,conv_9]", "conv_4")), "are needed"),
        (LATE, grid(distance=lambda i, j: 1.3 + j), "the photograph itself is as near"),
        (LATE, grid(task="texture"), "the study is of task=transfer"),
    ],
)
def test_too_few_runs_or_too_little_in_them_cannot_say(claim: str, runs: Sweep, why: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == C, given.text
    assert why.lower() in given.text.lower()


@pytest.mark.parametrize(("claim", "column"), [
    (EARLY, "ssim"), (LAYOUT, "layout"), (LAYOUT, "ssim"), (LATE, "style_distance"),
    (LATE, "photo_distance"), (LATE, "backbone.name"),
])  # fmt: skip
def test_records_without_a_number_cannot_say(claim: str, column: str) -> None:
    assert answer(NAME, claim, without(grid(), column)).verdict == C


def test_a_picture_that_is_the_photograph_keeps_more_than_its_layout() -> None:
    given = answer(NAME, LAYOUT, grid(lambda i, j: 0.99, lambda i, j: 1.0))
    assert given.verdict == P
    assert "SSIM 0.990" in given.text


def test_some_missing_pairs_leave_the_rest() -> None:
    runs = grid()
    runs = replace(runs, runs=runs.runs.drop(index=[1, 6]))
    for claim in (EARLY, LAYOUT, LATE):
        assert answer(NAME, claim, runs).verdict == R
