"""Configs composed in Python: what the command line gives, and errors of one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import nst
from nst.command.configs import CONF
from nst.config import InitKind, ReportConfig, Task
from nst.errors import InputError


def test_a_group_may_be_a_keyword() -> None:
    assert nst.compose(optimizer="adam") == nst.compose("optimizer=adam")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task", Task.texture),
        ("content", "it's, [a] {b} \\ ü.png"),
        ("style_layers", ["conv_1", "conv_2"]),
        ("style_size", None),
        ("coarse_scales", [0.25, 0.5]),
        ("seed", 2**40),
    ],
)
def test_values_of_python_arrive_as_they_are(
    key: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("it's, [a] {b} \\ ü.png").write_bytes(b"a picture")
    assert getattr(nst.compose(**{key: value}), key) == value


def test_report_is_a_switch_and_a_group_of_keys() -> None:
    assert nst.compose(report=False).report.enabled is False
    assert nst.compose("report=True").report.enabled is True
    cfg = nst.compose("report={enabled: false, figure_width: 7}", "report.judge=vgg19")
    assert cfg.report == ReportConfig(enabled=False, figure_width=7, judge="vgg19")


def test_keys_with_dots_are_keywords_too() -> None:
    cfg = nst.compose(**{"optimizer.steps": 7, "init.kind": InitKind.noise})
    assert (cfg.optimizer.steps, cfg.init.kind) == (7, InitKind.noise)
    assert nst.compose(**{"loss.pixels": {"tv": {"beta": 2.5}}}).loss.pixels["tv"]["beta"] == 2.5


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer=adm", "optimizer=adm: no such choice; did you mean adam? (adam, lbfgs, sgd)"),
        ("preset=gatys", "did you mean gatys2015?"),
        ("study=layer_ablations", "did you mean layer_ablation?"),
        ("optimizer.steps=many", "optimizer.steps=many: expected a whole number"),
        ("task=style", "task=style: expected one of transfer, content, texture"),
        ("size", "size: expected key=value"),
        ("size=null", "size=null: expected a whole number"),
        ("size=true", "size=true: expected a whole number"),
        ("content=[a]", "content=[a]: expected text"),
        ("loss.pixels=3", "loss.pixels=3: expected a mapping, as {name: value}"),
        ("loss.style=[]", "loss.style=[]: expected a name or {name: …, option: …}"),
        ("passes=3", "passes=3: expected a list, as [{scale: …, steps: …}]"),
        ("passes=[{scale: 2, steps: 1, x: 3}]", "(Key 'x' not in 'PassConfig')"),
        ("passes.0.scale=2", "passes is a list, as [{scale: …, steps: …}], to be given as a whole"),
        ("optimizer.default_steps=[1]", "expected a mapping, as {name: value}"),
        ("precision=bfloat1", "expected one of auto, float32, bfloat16; did you mean bfloat16?"),
        ("~size=3", "Could not delete from config. The value of 'size' is 512 and not 3"),
        ("~size", "~size: a key cannot be removed, only given another value"),
        ("~loss.style", "~loss.style: a key cannot be removed, only given another value"),
        ("+size=3", "An item is already at 'size': Either remove + prefix: 'size=3'"),
        (
            "hydra.mode=MULTI",
            "Invalid value 'MULTI', expected one of [RUN, MULTIRUN]",
        ),
        ("hydra.foo=1", "hydra.foo=1: Key 'foo' not in 'HydraConf'"),
        ("size=1,2", "size=1,2: several values make a sweep; add -m for a run of each"),
        (
            "content_layer=conv_1,conv_2",
            "for a run of each; a list is content_layer=[conv_1,conv_2]",
        ),
        ("logger.project=a,b", "a text with a comma is logger.project=\"'a,b'\""),
        ("seed=range(0,3)", "seed=range(0,3): several values make a sweep"),
        ("backbone=${oc.decode:'[1]'}", "expected the name of one of its choices"),
        ("backbone=../optimizer/adam", "expected the name of one of its choices"),
        ("sze=3", "unknown key 'sze'; did you mean size?"),
        ("+foo=3", "unknown key 'foo'"),
        ("size=3", "size=3: expected a longest side"),
        ("preset=null", "~preset"),
    ],
)
def test_what_cannot_be_composed_is_one_line(override: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        nst.compose(override)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_value_that_no_config_can_hold() -> None:
    with pytest.raises(InputError, match="is no value that a config can hold"):
        nst.compose(size=object())


def test_the_config_files_are_where_the_package_looks() -> None:
    assert (CONF / "config.yaml").is_file()
    assert (CONF / "loss" / "gatys2015.yaml").is_file()
