from __future__ import annotations

from pathlib import Path

import pytest

from nst.reports.drawing.figures import general_figures
from nst.reports.sweeps import load_sweep
from tests.reports.drawing.sample import outside, sweep_of


@pytest.mark.parametrize(
    ("jobs", "names"),
    [
        ([["seed=0"]], {"loss_curves"}),
        ([["size=1"], ["size=2"]], {"loss_curves", "psnr", "seconds_per_step"}),
        ([["content_layer=a"], ["content_layer=b"]], {"loss_curves", "psnr"}),
        (
            [["content_layer=a", "style=x"], ["content_layer=b", "style=y"]],
            {"loss_curves", "psnr_map"},
        ),
    ],
)
def test_what_varied_decides_the_figures(
    jobs: list[list[str]], names: set[str], tmp_path: Path
) -> None:
    drawn = general_figures(sweep_of(tmp_path, *jobs))
    assert set(drawn) == names
    assert all(drawing.caption.endswith(".") for drawing in drawn.values())


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_figures_of_real_runs_have_their_width_and_nothing_outside(
    width: float, layers_and_seeds: Path
) -> None:
    drawn = general_figures(load_sweep([layers_and_seeds]), width)
    assert {"loss_curves", "psnr", "seed_difference_conv_1", "seed_difference_conv_4"} == set(drawn)
    caption = drawn["seed_difference_conv_4"].caption
    assert caption.startswith("conv_4: Differences of pictures: seed 0 − seed 1, ")
    for name, drawing in drawn.items():
        assert drawing.figure.get_figwidth() == width, name
        assert outside(drawing.figure) == [], name
