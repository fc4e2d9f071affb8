from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest

from nst.reports.drawing.differences import chosen, difference_figure
from nst.reports.drawing.distances import distances_figure
from nst.reports.drawing.style import house_style
from nst.reports.measuring.differences import Difference
from nst.reports.sweeps import load_sweep
from tests.reports.drawing.sample import LONG, legend_texts, outside

NAMES = ("seed 0 − seed 1", "seed 0 − seed 2", "seed 1 − seed 2")
ORIGINAL = tuple(f"seed {k} − original" for k in range(3))


def difference(name: str, spread: float = 9, shape: tuple[int, int] = (20, 30)) -> Difference:
    values = np.random.default_rng(len(name)).normal(0, spread, (*shape, 3)).round()
    return Difference(name, values)


def test_of_three_seeds_the_first_is_compared_with_the_others_and_the_original() -> None:
    every = [difference(name) for name in NAMES + ORIGINAL]
    assert [each.name for each in chosen(every)] == [*NAMES[:2], ORIGINAL[0]]


def test_equal_pictures_are_not_drawn() -> None:
    equal = Difference(NAMES[0], np.zeros((4, 4, 3)))
    assert [each.name for each in chosen([equal, difference(NAMES[1])])] == [NAMES[1]]
    assert difference_figure([equal]) is None


@pytest.mark.slow
@pytest.mark.parametrize("width", [3.4, 7.0])
@pytest.mark.parametrize("shape", [(20, 30), (40, 20), (10, 60)])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_nothing_lies_outside(count: int, shape: tuple[int, int], width: float) -> None:
    drawing = difference_figure([difference(n, shape=shape) for n in NAMES[:count]], width=width)
    assert drawing is not None
    assert outside(drawing.figure) == []
    assert drawing.figure.get_figwidth() == width


@pytest.mark.parametrize("spread", [1, 4, 20, 70, 100])
def test_labels_of_histograms_do_not_run_into_each_other(spread: float) -> None:
    drawing = difference_figure([difference(name, spread) for name in NAMES])
    assert drawing is not None
    with house_style():
        drawing.figure.draw_without_rendering()
        plots = [axes for axes in drawing.figure.axes if axes.get_xlabel()]
        boxes = [t.get_window_extent() for axes in plots for t in axes.get_xticklabels()]
    assert len(boxes) == 9
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))


def test_a_difference_is_drawn_on_grey_with_its_gain() -> None:
    values = np.zeros((4, 4, 3))
    values[0, 0] = (30, 0, -30)
    drawing = difference_figure([Difference("a − b", values)])
    assert drawing is not None
    axes = drawing.figure.axes[0]
    assert axes.get_ylabel() == "RGB × 4"
    assert np.asarray(axes.images[0].get_array())[0, 0].tolist() == [248, 128, 8]
    assert "enlarged 4 times" in drawing.caption


def test_brightness_and_color_have_a_bar_each_and_the_numbers_stand_below() -> None:
    each = difference(NAMES[0])
    drawing = difference_figure([each])
    assert drawing is not None
    texts = [axes.get_title(loc="left") for axes in drawing.figure.axes]
    assert [text for text in texts if text] == [
        f"rms {each.rms:.1f} of 255\n(PSNR {each.psnr:.1f} dB)\n"
        f"brightness {each.rms_brightness:.1f}\ncolour {each.rms_color:.1f}"
    ]
    labels = [axes.get_ylabel() for axes in drawing.figure.axes]
    assert labels == ["RGB × 4", "brightness", "colour", "pixels, %", "of 255", "of 255"]
    assert legend_texts(drawing.figure) == {"": ["red", "green", "blue"]}


def test_a_long_name_is_broken() -> None:
    drawing = difference_figure([difference(f"{LONG} − original"), difference("b − c")])
    assert drawing is not None
    assert outside(drawing.figure) == []


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_distances_between_seeds_stand_beside_those_to_the_original(
    width: float, layers_and_seeds: Path
) -> None:
    drawing = distances_figure(load_sweep([layers_and_seeds]), width=width)
    assert drawing is not None
    assert legend_texts(drawing.figure) == {"compared": ["two seeds", "seed and original"]}
    assert all(axes.get_ylim()[0] == 0 for axes in drawing.figure.axes)
    assert outside(drawing.figure) == []


def test_seeds_of_one_setting_are_compared_without_a_legend(layers_and_seeds: Path) -> None:
    for other_layer in ("2", "3"):
        shutil.rmtree(layers_and_seeds / other_layer)
    drawing = distances_figure(load_sweep([layers_and_seeds]))
    assert drawing is not None
    ticks = [tick.get_text() for tick in drawing.figure.axes[-1].get_xticklabels()]
    assert ticks == ["two seeds", "seed and original"]
    assert outside(drawing.figure) == []
