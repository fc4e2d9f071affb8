from __future__ import annotations

import itertools

import numpy as np
import pytest

from nst.reports.drawing.maps import metric_map
from tests.reports.drawing.sample import LONG, outside, table_of

NAN = float("nan")


def test_a_map_has_the_mean_of_each_pair_from_the_least_value_to_the_greatest() -> None:
    axes = {"size": ("64", "32"), "init": ("noise", "content"), "seed": ("0", "1")}
    sweep = table_of(axes, psnr=[6, 8, 5, 5, 1, 3, NAN, 4])
    drawing = metric_map(sweep, sweep.axes[0], sweep.axes[1], "psnr")
    plot = drawing.figure.axes[0]
    assert np.asarray(plot.images[0].get_array()).tolist() == [[2, 4], [7, 5]]
    assert [text.get_text() for text in plot.texts] == ["2.00", "4.00", "7.00", "5.00"]
    assert drawing.caption == (
        "PSNR for every pair of size (down) and init (across), mean of 2 runs (seed)."
    )


def test_a_pair_without_a_run_is_empty() -> None:
    sweep = table_of({"size": ("1", "2"), "init": ("a", "b")}, ssim=[0.1, NAN, 0.3, 0.4])
    plot = metric_map(sweep, sweep.axes[0], sweep.axes[1], "ssim").figure.axes[0]
    assert [text.get_text() for text in plot.texts] == ["0.100", "0.300", "0.400"]


def test_numbers_stand_out_from_their_cells() -> None:
    sweep = table_of({"size": ("1", "2"), "init": ("a", "b")}, ssim=[0.0, 0.1, 0.9, 1.0])
    plot = metric_map(sweep, sweep.axes[0], sweep.axes[1], "ssim").figure.axes[0]
    assert [text.get_color() for text in plot.texts] == ["white", "white", "black", "black"]


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_a_map_of_16_by_11_can_be_read(width: float) -> None:
    axes = {
        "content_layer": tuple(f"conv_{k}" for k in range(1, 12)),
        "style_layers": tuple(f"conv_{k}-{k + 4}" for k in range(1, 17)),
    }
    sweep = table_of(axes, psnr=np.linspace(8, 100, 176))
    figure = metric_map(sweep, sweep.axes[0], sweep.axes[1], "psnr", width=width).figure
    assert outside(figure) == []
    plot = figure.axes[0]
    boxes = [text.get_window_extent().padded(-0.5) for text in plot.texts]
    assert len(boxes) == 176
    assert all(float(text.get_fontsize()) >= 5 for text in plot.texts)
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))
    assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[16:], strict=False))


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_long_labels_stay_inside(width: float) -> None:
    sweep = table_of({"style": (LONG, "b"), "content": ("x" + LONG, "d")}, ssim=[1, 2, 3, 4])
    assert (
        outside(metric_map(sweep, sweep.axes[0], sweep.axes[1], "ssim", width=width).figure) == []
    )


def test_a_map_without_numbers_is_drawn_empty() -> None:
    sweep = table_of({"size": ("1", "2"), "init": ("a", "b")}, ssim=NAN)
    assert not metric_map(sweep, sweep.axes[0], sweep.axes[1], "ssim").figure.axes[0].texts
