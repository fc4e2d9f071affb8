"""Sweeps that are none yet, keys given twice, and plugins that are not installed."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import nst
from nst.command.line.arguments import prepared
from nst.errors import InputError


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def complaint(*arguments: str) -> str:
    with pytest.raises(InputError) as caught:
        nst.compose(*prepared(arguments))
    return str(caught.value)


@pytest.mark.parametrize(
    "argument", ["content=a,b", "content=a.png,b.png", "content=chelsea,coffee", "seed=0,1"]
)
def test_several_values_without_m_are_told_of_it(argument: str) -> None:
    text = complaint("size=64", argument)
    assert text.startswith(f"{argument}: several values make a sweep; add -m for a run of each")
    assert prepared(["-m", argument])


def test_a_file_with_a_comma_in_its_name_is_one_file() -> None:
    Path("a,b").write_bytes(b"a picture")
    assert nst.compose(*prepared(["content=a,b"])).content == "a,b"


def test_what_else_a_comma_may_mean_is_said_with_the_values() -> None:
    text = complaint("style_layers=conv_1,conv_2")
    assert text.endswith("; a list is style_layers=[conv_1,conv_2]")


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (["seed=0,1", "seed=2"], "seed=0,1,2"),
        (["style=ink,swirl", "size=64", "style=waves"], "style=ink,swirl,waves"),
        (["optimizer=adam,sgd", "optimizer=lbfgs"], "optimizer=adam,sgd,lbfgs"),
    ],
)
def test_a_sweep_that_would_be_lost_is_refused(arguments: list[str], written: str) -> None:
    text = complaint("-m", *arguments)
    assert f"is given twice, and {arguments[-1]} alone would count" in text
    assert f"write {written}, or leave one of them out" in text
    assert complaint("-m", "seed=range(0,3)", "seed=5").endswith("count; leave one of them out")


def test_a_sweep_over_what_had_one_value_before_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    assert prepared(["-m", "style=ink", "style=waves,swirl"])[-1] == "style=waves,swirl"
    assert caplog.messages == ["style=ink counts for nothing: style=waves,swirl comes after it"]


@pytest.mark.parametrize("flags", [[], ["-m"]])
def test_of_two_values_the_last_counts_and_the_first_is_named(
    flags: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert prepared([*flags, "size=64", "seed=1", "size=128"])[-1] == "size=128"
    assert caplog.messages == ["size=64 counts for nothing: size=128 comes after it"]


def test_what_is_given_once_or_adds_up_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    prepared(["size=64", "size=64", "loss.style=gram", "loss.style.activation_shift=0.5"])
    prepared(["optimizer=adam", "optimizer={steps: 3}", "~preset", "+seed=3"])
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("argument", "package"),
    [
        ("hydra/launcher=joblib", "hydra-joblib-launcher"),
        ("hydra/launcher=submitit_slurm", "hydra-submitit-launcher"),
        ("hydra/launcher=submitit_local", "hydra-submitit-launcher"),
        ("hydra/sweeper=optuna", "hydra-optuna-sweeper"),
    ],
)
def test_a_plugin_that_is_not_installed_names_its_package(
    argument: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hydra.errors import MissingConfigException

    from nst.command.configs import one_line

    missing = MissingConfigException("…", argument.replace("=", "/"), ["basic", "batched"])
    assert one_line(missing) == f"{argument} is not installed; pip install {package}"


def test_a_launcher_that_nobody_knows_lists_those_that_there_are() -> None:
    text = complaint("hydra/launcher=batchd")
    assert "hydra/launcher=batchd: no such choice; did you mean batched?" in text


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        ("hydra.launcher.max_batch=3", "it belongs to hydra/launcher=batched; add that"),
        ("hydra.run.dri=x", "did you mean dir?"),
    ],
)
def test_hydras_own_keys_are_answered_too(argument: str, answer: str) -> None:
    assert answer in complaint(argument)
