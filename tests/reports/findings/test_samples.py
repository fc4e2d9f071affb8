from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nst.reports.findings.claims import CannotSayError, Verdict
from nst.reports.findings.samples import (
    Samples,
    by_depth,
    need_axis,
    numbers,
    rank_correlation,
    trends,
    values_by_seed,
)
from nst.reports.sweeps import Axis, Sweep


def sweep_of(axes: dict[str, tuple[str, ...]], **columns: Sequence[Any]) -> Sweep:
    """Runs with these columns."""
    return Sweep(
        (Path(),), None, None, "", pd.DataFrame(columns),
        tuple(Axis(key, values) for key, values in axes.items()),
    )  # fmt: skip


class TestSamples:
    def test_mean_and_spread(self) -> None:
        samples = Samples([30, 31, 32])
        assert (samples.mean, samples.spread, len(samples)) == (31, 1, 3)
        assert str(samples) == "31 ± 1"

    def test_what_is_not_finite_is_no_sample(self) -> None:
        assert Samples([1, math.nan, math.inf, 3]).values == (1, 3)

    @pytest.mark.parametrize(
        ("values", "text"), [([], "no samples"), ([2.0], "1 sample,"), ([math.nan, 1], "1 sample,")]
    )
    def test_fewer_than_two_have_no_spread(self, values: list[float], text: str) -> None:
        with pytest.raises(CannotSayError, match=text):
            Samples(values)

    @pytest.mark.parametrize(
        ("values", "at_least", "at_most"),
        [
            ((30.0, 30.0), "reproduced", "reproduced"),  # the threshold itself
            ((31.0, 31.5), "reproduced", "not reproduced"),
            ((31.0, 29.5), "partly", "partly"),  # beyond it, but not by more than its spread
            ((28.0, 28.0), "partly", "reproduced"),
            ((20.0, 20.0), "not reproduced", "reproduced"),
            ((20.0, 60.0), "partly", "not reproduced"),
        ],
    )
    def test_verdicts_by_mean_and_spread(
        self, values: tuple[float, ...], at_least: str, at_most: str
    ) -> None:
        samples = Samples(values)
        assert samples.at_least(30, 25).value == at_least
        assert samples.at_most(30, 31).value == at_most

    def test_an_answer_has_the_numbers(self) -> None:
        answer = Samples([30, 31, 32]).answer(Verdict.partly, "PSNR is …", "dB")
        assert (answer.value, answer.spread, answer.count, answer.unit) == (31, 1, 3, "dB")
        assert answer.number == "31 ± 1 dB"


class TestNumbers:
    def test_anything_that_is_no_number_is_nan(self) -> None:
        runs = sweep_of({}, psnr=[1, None, "2.5", "x", math.nan])
        values = numbers(runs, "psnr")
        assert values.dropna().tolist() == [1, 2.5]
        assert len(values) == 5

    @pytest.mark.parametrize("columns", [{}, {"psnr": [None, None]}, {"psnr": ["a", "b"]}])
    def test_no_number_at_all_cannot_say(self, columns: dict[str, list[object]]) -> None:
        with pytest.raises(CannotSayError, match="the runs have no PSNR"):
            numbers(sweep_of({}, seed=[0, 1], **columns), "psnr")


class TestValuesBySeed:
    def test_a_row_for_each_seed_and_a_column_for_each_value(self) -> None:
        runs = sweep_of(
            {"size": ("64", "32"), "seed": ("0", "1")},
            size=["64", "64", "32", "32"], seed=["0", "1", "0", "1"], psnr=[1, 2, 3, 4],
        )  # fmt: skip
        table = values_by_seed(runs, "size", "psnr")
        assert list(table.columns) == ["64", "32"]
        assert table.to_numpy().tolist() == [[1, 3], [2, 4]]

    @pytest.mark.parametrize("seeds", [[0, 1, 0], ["0", "1", "0"]])
    def test_missing_runs_are_nan_and_seeds_are_numbers_or_text(self, seeds: list[object]) -> None:
        runs = sweep_of({"size": ("64", "32")}, size=["64", "64", "32"], seed=seeds,
                        psnr=[1, 2, 3])  # fmt: skip
        table = values_by_seed(runs, "size", "psnr")
        assert table["64"].tolist() == [1, 2]
        assert table["32"].tolist()[0] == 3
        assert math.isnan(table["32"].tolist()[1])

    def test_runs_without_seeds_are_one_row(self) -> None:
        runs = sweep_of({"size": ("64", "32")}, size=["64", "32"], psnr=[1, 2])
        assert values_by_seed(runs, "size", "psnr").shape == (1, 2)

    def test_an_axis_that_did_not_vary_cannot_say(self) -> None:
        with pytest.raises(CannotSayError, match="1 value of size; 2 are needed"):
            values_by_seed(sweep_of({"size": ("64",)}, psnr=[1]), "size", "psnr")
        with pytest.raises(CannotSayError, match="2 values of size; 3 are needed"):
            need_axis(sweep_of({"size": ("64", "32")}, psnr=[1]), "size", 3)


class TestDepth:
    @pytest.mark.parametrize("column", ["backbone.name", "config.backbone.name"])
    def test_single_layers_in_the_order_of_the_network(self, column: str) -> None:
        layers = ("conv_8", "input", "relu2_1", "block1_conv2", "[conv_1,conv_2]", "conv_1-5", "x")
        runs = sweep_of(
            {"content_layer": layers},
            **{"content_layer": layers, column: ["vgg19_mini"] * len(layers)},
        )
        depths = by_depth(runs, "content_layer")
        assert list(depths.items()) == [
            *(("input", 0), ("block1_conv2", 2), ("relu2_1", 3), ("conv_8", 8)),
        ]
        assert by_depth(runs, "content_layer", ranges=True) == {"conv_1-5": 1}

    def test_a_depth_is_one_in_the_runs_own_network(self) -> None:
        layers = ("fire4", "conv_4")
        runs = sweep_of(
            {"content_layer": layers},
            **{"content_layer": layers, "backbone.name": ["squeezenet1_0", "vgg16"]},
        )
        assert by_depth(runs, "content_layer") == {"fire4": 4, "conv_4": 4}

    def test_without_a_network_or_an_axis_there_are_no_depths(self) -> None:
        runs = sweep_of({"content_layer": ("conv_1",)}, content_layer=["conv_1"])
        assert by_depth(runs, "content_layer") == {}
        assert by_depth(runs, "style_layers") == {}


class TestRanks:
    def test_they_are_of_the_order_alone(self) -> None:
        assert rank_correlation([1, 2, 3], [1.0, 10.0, 100.0]) == pytest.approx(1)
        assert rank_correlation([1, 2, 3], [-1.0, -10.0, -100.0]) == pytest.approx(-1)
        assert math.isnan(rank_correlation([1], [1.0]))

    def test_what_does_not_move_follows_nothing(self) -> None:
        assert rank_correlation([1, 2, 3], [5.0, 5.0, 5.0]) == 0

    def test_a_trend_is_of_each_row_and_of_three_numbers_or_more(self) -> None:
        nan = math.nan
        table = pd.DataFrame([[3, 2, 1], [1, 2, 3], [1, nan, 2], [nan, nan, nan]])
        assert trends(table, [1, 4, 8]).values == pytest.approx((-1, 1))
        with pytest.raises(CannotSayError, match="1 sample,"):
            trends(table[1:], [1, 4, 8])
