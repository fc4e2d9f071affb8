from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nst.reports.findings.spelling import spelled
from nst.reports.sweeps import Axis, Sweep


def sweep_of(key: str, values: list[str], **columns: Any) -> Sweep:
    """One run for each value."""
    runs = pd.DataFrame({key: values, "backbone.name": "vgg19", **columns})
    return Sweep((Path(),), None, None, "", runs, (Axis(key, tuple(dict.fromkeys(values))),))


@pytest.mark.parametrize(
    ("given", "config", "spelling"),
    [
        ("conv_4", "conv_4", "conv_4"),
        ("conv2_2", "conv2_2", "conv_4"),
        ("relu4_2", "relu4_2", "relu_10"),
        ("block4_conv2", "block4_conv2", "relu_10"),
        ("[conv_4]", ["conv_4"], "conv_4"),
        ("conv_1-5", "conv_1-5", "conv_1-5"),
        ("[conv_1,conv_2]", ["conv_1", "conv_2"], "conv_1-2"),
        ("[conv_1,conv_3]", ["conv_1", "conv_3"], "[conv_1,conv_3]"),
        ("[conv_2,conv_1]", ["conv_2", "conv_1"], "[conv_2,conv_1]"),
        ("[conv_1-2,conv_3]", ["conv_1-2", "conv_3"], "conv_1-3"),
        ("default", "relu4_2", "relu_10"),  # another key chose it
        ("[ conv1_1 , 'conv_2' ]", None, "conv_1-2"),  # an old record
        ("'conv_4'", None, "conv_4"),
        ("default", None, "default"),
        ("conv_99", "conv_99", "conv_99"),  # of another version
    ],
)
def test_layers_are_spelled_as_the_runs_had_them(given: str, config: object, spelling: str) -> None:
    runs = sweep_of("style_layers", [given, "conv_9"], **{
        "config.style_layers": [config, "conv_9"]
    })  # fmt: skip
    result = spelled(runs, ["style_layers"])
    assert result.runs["style_layers"].tolist() == [spelling, "conv_9"]
    assert result.axes == (Axis("style_layers", (spelling, "conv_9")),)


def test_two_names_of_one_layer_are_one_value() -> None:
    runs = sweep_of("content_layer", ["conv_4", "conv2_2", "conv_5"])
    assert spelled(runs, ["content_layer"]).axes[0].values == ("conv_4", "conv_5")


def test_a_start_is_the_kind_that_the_run_had() -> None:
    runs = sweep_of("init", ["noise", "content"], **{"config.init.kind": ["noise", "noise"]})
    assert spelled(runs, ["init"]).axes == (Axis("init", ("noise",)),)
    assert spelled(sweep_of("init", ["noise", "content"]), ["init"]).axes[0].values == (
        *("noise", "content"),
    )


def test_what_another_key_decided_is_an_axis_as_well() -> None:
    runs = sweep_of("layers", ["wide", "all"], **{"config.content_layer": ["conv_1", "conv_4"]})
    result = spelled(runs, ["content_layer", "style_layers"])
    assert [axis.key for axis in result.axes] == ["layers", "content_layer"]
    same = sweep_of("layers", ["wide", "all"], **{"config.content_layer": ["conv_1", "conv_1"]})
    assert [axis.key for axis in spelled(same, ["content_layer"]).axes] == ["layers"]


def test_other_keys_stay_as_they_are() -> None:
    runs = sweep_of("style", ["a.jpg", "mosaic"])
    assert spelled(runs, ["style", "seed"]).axes == runs.axes
