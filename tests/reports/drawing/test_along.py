from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes

from nst.reports.drawing.along import along
from nst.reports.sweeps import Axis
from tests.reports.drawing.sample import LONG, joined, legend_texts, outside, table_of

NAN = float("nan")
SIZES = {"size": ("128", "64"), "seed": ("0", "1", "2")}


def test_every_run_is_a_dot_and_the_mean_of_a_value_a_marker_with_a_bar() -> None:
    sweep = table_of(SIZES, psnr=[30, 31, 32, 10, 20, 30])
    drawing = along(sweep, sweep.axes[0], ["psnr"])
    (axes,) = drawing.figure.axes
    dots, means = axes.lines[:-1], axes.lines[-1]
    assert sorted(np.asarray(dots[0].get_ydata())) == [10, 20, 30, 30, 31, 32]
    assert list(np.asarray(means.get_ydata())) == [20, 31]  # from the least size to the greatest
    assert bar(axes) == (10, 30)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["64", "128"]
    assert axes.get_ylabel() == "PSNR, dB"
    assert "mean of 3 runs (seed), bars one standard deviation" in drawing.caption


def bar(axes: Axes) -> tuple[float, float]:
    """Ends of the first error bar."""
    segment = axes.collections[0].get_paths()[0].vertices
    low, high = np.asarray(segment)[:, 1]
    return float(low), float(high)


def test_equal_runs_are_beside_each_other() -> None:
    sweep = table_of(SIZES, psnr=20.0)
    (axes,) = along(sweep, sweep.axes[0], ["psnr"]).figure.axes
    assert len(set(np.asarray(axes.lines[0].get_xdata()))) == 6


@pytest.mark.parametrize(
    ("key", "values", "lines"),
    [
        ("loss.style_weight", ("1", "10"), 1),
        ("content_layer", ("conv_1", "relu_4"), 1),
        ("style_layers", ("conv_1-5", "conv_9-12"), 0),
        ("style", ("swirl", "wave"), 0),
        ("init", ("noise", "content"), 0),
        ("seed", ("0", "1"), 0),
    ],
)
def test_only_values_with_an_order_are_joined(
    key: str, values: tuple[str, ...], lines: int
) -> None:
    sweep = table_of({key: values}, psnr=[20, 30])
    drawing = along(sweep, sweep.axes[0], ["psnr"])
    assert joined(drawing.figure.axes[0]) == lines
    assert ("no order" in drawing.caption) == (lines == 0)


def test_measures_stand_below_each_other_on_one_axis() -> None:
    sweep = table_of(SIZES, psnr=20.0, ssim=0.5, style_distance=NAN)
    figure = along(sweep, sweep.axes[0], ["psnr", "ssim", "style_distance"]).figure
    assert [axes.get_ylabel() for axes in figure.axes] == ["PSNR, dB", "SSIM"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "size"]


def test_runs_without_a_number_are_left_out() -> None:
    sweep = table_of(SIZES, psnr=[30, NAN, 32, NAN, NAN, NAN])
    (axes,) = along(sweep, sweep.axes[0], ["psnr"]).figure.axes
    assert list(np.asarray(axes.lines[-1].get_ydata())) == [31]
    assert len(axes.get_xticks()) == 2


def test_a_measure_that_no_run_has_is_refused() -> None:
    sweep = table_of(SIZES, psnr=NAN)
    with pytest.raises(ValueError, match="no run has a number for psnr, ssim"):
        along(sweep, sweep.axes[0], ["psnr", "ssim"])


def test_equal_pictures_do_not_flatten_the_rest() -> None:
    sweep = table_of({"size": ("1", "2", "3")}, psnr=[100.0, 30.0, 20.0])
    drawing = along(sweep, sweep.axes[0], ["psnr"])
    (axes,) = drawing.figure.axes
    assert axes.get_ylim()[1] < 65
    assert axes.get_yticklabels()[-1].get_text() == "≥ 60"
    assert list(np.asarray(axes.lines[-1].get_ydata())) == [60, 30, 20]
    assert "PSNR above 60 dB stands at 60" in drawing.caption


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_a_threshold_is_a_line_with_its_text(width: float) -> None:
    sweep = table_of(SIZES, psnr=[30, 31, 32, 10, 20, 30], ssim=0.3)
    text = "claim: pictures from 64 px on look alike, that is, have at least this much"
    figure = along(
        sweep, sweep.axes[0], ["psnr", "ssim"], lines={"psnr": (40, text)}, width=width
    ).figure
    above, below = figure.axes
    assert [t.get_text().replace("\n", " ") for t in above.texts] == [text]
    assert above.get_ylim()[1] > 40
    assert not below.texts
    assert outside(figure) == []


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_a_second_axis_has_its_own_means_and_a_legend(width: float) -> None:
    sweep = table_of({"style": (LONG, "swirl"), **SIZES}, psnr=[30.0] * 6 + [20.0] * 6)
    drawing = along(sweep, sweep.axes[1], ["psnr"], by=sweep.axes[0], width=width)
    figure = drawing.figure
    assert legend_texts(figure) == {"style": [LONG.removesuffix(".jpg"), "swirl"]}
    assert [list(np.asarray(line.get_ydata())) for line in figure.axes[0].lines[1::2]] == [
        *([30, 30], [20, 20])
    ]
    assert "by style (colour and marker)" in drawing.caption
    assert outside(figure) == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [3.4, 7.0])
@pytest.mark.parametrize("count", [1, 2, 5, 17, 40])
@pytest.mark.parametrize("name", ["{}", "conv_{}", "conv_{}-99", LONG + "{}"])
def test_nothing_lies_outside_whatever_the_labels(name: str, count: int, width: float) -> None:
    values = tuple(name.format(k) for k in range(1, count + 1))
    sweep = table_of({"key": values, "seed": ("0", "1")}, psnr=np.linspace(0, 100, 2 * count))
    assert (
        outside(
            along(sweep, Axis("key", values), ["psnr", "unheard_of", "psnr"], width=width).figure
        )
        == []
    )
