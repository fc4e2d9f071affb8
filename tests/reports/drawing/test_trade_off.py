from __future__ import annotations

import numpy as np
import pytest

from nst.reports.drawing.trade_off import trade_off
from tests.reports.drawing.sample import LONG, legend_texts, outside, table_of

AXES = {"loss.style_weight": ("100", "1", "10"), "style": ("swirl", LONG)}
STYLE, KEPT = [0.1, 0.2, 0.9, 1.0, 0.4, 0.5], [0.2, 0.3, 0.9, 0.95, 0.5, 0.6]
NAN = float("nan")


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_color_and_marker_have_a_legend_each(width: float) -> None:
    sweep = table_of(AXES, style_distance=STYLE, content_kept=KEPT)
    weight, style = sweep.axes
    drawing = trade_off(
        sweep, "style_distance", "content_kept", color=weight, marker=style, width=width
    )
    assert legend_texts(drawing.figure) == {
        "style weight": ["1", "10", "100"], "style": ["swirl", LONG.removesuffix(".jpg")],
    }  # fmt: skip
    (axes,) = drawing.figure.axes
    assert len({(str(p.get_color()), str(p.get_marker())) for p in axes.lines}) == 6
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("style distance", "content kept")
    assert outside(drawing.figure) == []
    assert drawing.caption.startswith("Content kept against style distance, a point for each of 6")


def test_few_points_are_labelled() -> None:
    sweep = table_of({"loss.tv_weight": ("1", "2", "3")}, ssim=[0.1, 0.5, 0.9], psnr=[10, 20, 30])
    drawing = trade_off(sweep, "psnr", "ssim")
    texts = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert texts == ["tv weight 1", "tv weight 2", "tv weight 3"]
    assert outside(drawing.figure) == []


def test_few_points_with_long_names_have_a_legend() -> None:
    sweep = table_of(AXES, style_distance=STYLE, content_kept=KEPT)
    figure = trade_off(sweep, "style_distance", "content_kept").figure
    assert not figure.axes[0].texts
    assert len(legend_texts(figure)["run"]) == 6
    assert outside(figure) == []


def test_runs_without_both_numbers_are_left_out() -> None:
    sweep = table_of({"size": ("1", "2", "3")}, ssim=[0.1, NAN, 0.9], psnr=[NAN, 20, 30])
    assert len(trade_off(sweep, "psnr", "ssim").figure.axes[0].lines) == 1
    with pytest.raises(ValueError, match="both psnr and edges"):
        trade_off(sweep, "psnr", "edges")


def test_a_wide_range_is_drawn_on_a_logarithmic_scale() -> None:
    sweep = table_of({"size": ("1", "2", "3")}, a=[1, 10, 100], b=[1, 2, 3])
    (axes,) = trade_off(sweep, "a", "b", color=sweep.axes[0]).figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_many_values_stay_inside(width: float) -> None:
    layers = tuple(f"conv_{k}" for k in range(1, 17))
    sweep = table_of(
        {"content_layer": layers, "init": ("noise", "content")},
        **{
            "losses_unweighted.style": np.geomspace(1e-3, 1e5, 32),
            "losses_unweighted.content": 1.0,
        },
    )
    figure = trade_off(
        sweep, "losses_unweighted.style", "losses_unweighted.content",
        color=sweep.axes[0], marker=sweep.axes[1], width=width,
    ).figure  # fmt: skip
    assert outside(figure) == []
