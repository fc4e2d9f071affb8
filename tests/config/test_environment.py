"""The command line wins over W&B's variables, and those over the defaults."""

from __future__ import annotations

import pytest

import nst
from nst.config import check
from nst.errors import InputError

KEYS = {
    "mode": ("WANDB_MODE", "online", "offline"),
    "project": ("WANDB_PROJECT", "paintings", "nst"),
    "entity": ("WANDB_ENTITY", "team", None),
    "group": ("WANDB_RUN_GROUP", "monday", None),
}


@pytest.mark.parametrize("key", KEYS)
def test_a_variable_replaces_the_default_and_the_command_line_the_variable(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, value, default = KEYS[key]
    assert getattr(nst.compose().logger, key) == default
    monkeypatch.setenv(variable, value)
    assert getattr(nst.compose().logger, key) == value
    own = "disabled" if key == "mode" else "mine"
    assert getattr(nst.compose(f"logger.{key}={own}").logger, key) == own
    monkeypatch.setenv(variable, "")
    assert getattr(nst.compose().logger, key) == default


def test_so_do_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_TAGS", "red, dark blue,")
    assert nst.compose().logger.tags == ["red", "dark blue"]
    assert nst.compose("logger.tags=[mine]").logger.tags == ["mine"]


@pytest.mark.parametrize(
    ("variables", "mode"),
    [
        ({"WANDB_MODE": "dryrun"}, "offline"),
        ({"WANDB_MODE": "run"}, "online"),
        ({"WANDB_MODE": "disabled"}, "disabled"),
        ({"WANDB_DISABLED": "true"}, "disabled"),
        ({"WANDB_DISABLED": "false", "WANDB_MODE": "online"}, "online"),
    ],
)
def test_modes_have_older_words(
    variables: dict[str, str], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert nst.compose().logger.mode.name == mode
    assert nst.compose("logger.mode=offline").logger.mode.name == "offline"


def test_a_mode_that_wandb_does_not_have_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_MODE", "sometimes")
    with pytest.raises(InputError) as caught:
        nst.compose()
    assert str(caught.value) == "WANDB_MODE=sometimes: expected one of offline, online, disabled"
    assert nst.compose("logger.mode=online").logger.mode.name == "online"
    assert nst.compose("logger=none").logger.mode.name == "offline"


@pytest.mark.parametrize("project", ["a/b", "a#b", "100%", "what?", r"a\b", "a:b", "p" * 129])
def test_a_project_that_wandb_refuses_is_refused_before(project: str) -> None:
    cfg = nst.compose()
    cfg.logger.project = project
    with pytest.raises(InputError, match=r"logger\.project"):
        check(cfg)
