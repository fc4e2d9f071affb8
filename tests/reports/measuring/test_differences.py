from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from nst.reports.drawing.differences import difference_figure
from nst.reports.measuring.differences import difference, seed_groups
from nst.reports.sweeps import load_sweep


def test_a_difference_is_signed_and_of_the_mean_of_the_colors() -> None:
    a = np.full((2, 3, 3), 100, dtype=np.uint8)
    b = a.copy()
    b[0, :, 0] = 130  # 10 brighter, as a mean of three
    between = difference("a − b", a, b)
    assert between.values.tolist() == [[-10] * 3, [0] * 3]
    assert between.mean == -5
    assert between.spread == 5
    assert between.rms == pytest.approx(50**0.5)


def test_seeds_are_compared_with_each_other_and_with_the_original(layers_and_seeds: Path) -> None:
    one_layer = [layers_and_seeds / "0", layers_and_seeds / "1"]
    ((name, differences),) = seed_groups(load_sweep(one_layer)).items()
    assert name == "seed_difference"
    assert [each.name for each in differences] == [
        *("seed 0 − seed 1", "seed 0 − original", "seed 1 − original"),
    ]
    between, first, second = differences
    assert between.rms > 0
    assert between.mean == pytest.approx(first.mean - second.mean, abs=1e-4)
    figure = difference_figure(differences)
    assert isinstance(figure, Figure)
    assert [axes.get_title() for axes in figure.axes[:3]] == [each.name for each in differences]


def test_a_group_for_each_value_of_the_other_axes(layers_and_seeds: Path) -> None:
    groups = seed_groups(load_sweep([layers_and_seeds]))
    assert list(groups) == ["seed_difference_conv_1", "seed_difference_conv_4"]
    assert seed_groups(load_sweep([layers_and_seeds / "0"])) == {}
