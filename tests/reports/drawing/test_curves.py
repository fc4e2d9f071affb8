from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nst.reports.drawing.curves import loss_curves
from tests.reports.drawing.sample import LONG, legend_texts, outside, sweep_of

LAYERS = tuple(f"conv_{k}" for k in range(1, 9))


def jobs(**axes: tuple[str, ...]) -> list[list[str]]:
    made: list[list[str]] = [[]]
    for key, values in axes.items():
        made = [[*job, f"{key}={value}"] for job in made for value in values]
    return made


def test_losses_of_one_objective_stand_beside_each_other(tmp_path: Path) -> None:
    (axes,) = loss_curves(sweep_of(tmp_path, ["optimizer.lr=1"], ["optimizer.lr=2"])).figure.axes
    assert axes.get_ylabel() == "loss"
    assert [list(np.asarray(line.get_ydata())) for line in axes.lines] == [[4, 2, 1]] * 2


def test_losses_of_other_objectives_are_relative_to_their_start(tmp_path: Path) -> None:
    drawing = loss_curves(sweep_of(tmp_path, ["loss=balanced"], ["loss=relative"]))
    (axes,) = drawing.figure.axes
    assert axes.get_ylabel() == "loss relative to the first step"
    assert list(np.asarray(axes.lines[0].get_ydata())) == [1, 0.5, 0.25]
    assert "divided by its first" in drawing.caption


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_color_is_the_layer_and_dash_the_seed(width: float, tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, *jobs(seed=("0", "1"), content_layer=LAYERS))
    drawing = loss_curves(sweep, width)
    figure = drawing.figure
    assert legend_texts(figure) == {"content layer": list(LAYERS), "seed": ["0", "1"]}
    lines = figure.axes[0].lines
    assert len(lines) == 16
    assert len({(str(line.get_color()), str(line.get_linestyle())) for line in lines}) == 16
    assert outside(figure) == []
    assert figure.get_figwidth() == width
    assert "colour: content layer; dash: seed" in drawing.caption


def test_one_run_needs_no_legend(tmp_path: Path) -> None:
    figure = loss_curves(sweep_of(tmp_path, ["seed=0"])).figure
    assert legend_texts(figure) == {}
    assert outside(figure) == []


def test_seeds_have_the_colors_where_nothing_else_varied(tmp_path: Path) -> None:
    figure = loss_curves(sweep_of(tmp_path, ["seed=0"], ["seed=1"])).figure
    assert legend_texts(figure) == {"seed": ["0", "1"]}


def test_of_many_runs_there_are_means_with_bands(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, *jobs(content_layer=LAYERS, seed=("0", "1", "2", "3")))
    drawing = loss_curves(sweep)
    (axes,) = drawing.figure.axes
    assert len(axes.lines) == len(axes.collections) == 8
    assert legend_texts(drawing.figure) == {"content layer": list(LAYERS)}
    assert "geometric means of 4 runs (seed)" in drawing.caption


def test_of_very_many_values_there_is_the_mean_of_all(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, *jobs(**{"optimizer.lr": tuple(map(str, range(1, 31)))}))
    figure = loss_curves(sweep).figure
    assert len(figure.axes[0].lines) == 1
    assert list(legend_texts(figure).values()) == [["mean of all runs"]]


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_a_long_name_is_broken_not_cut(width: float, tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, *jobs(style=(LONG, "swirl"), seed=("0", "1")))
    figure = loss_curves(sweep, width).figure
    assert legend_texts(figure)["style"] == [LONG.removesuffix(".jpg"), "swirl"]
    assert outside(figure) == []
