"""Where the config files are, what Hydra has to know of them, and configs composed in Python."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nst.command import launcher
from nst.command.folders import job_name, own_folder, run_name, sweep_name, varying
from nst.command.line.arguments import fault, open_keys, unreadable
from nst.command.line.choices import CONF as CONF
from nst.command.line.choices import meant_by
from nst.command.line.hints import value_hint
from nst.command.line.names import is_of_files, quoted, unnamed_keys
from nst.command.line.sweeps import without_its_package
from nst.command.sizes import Written, checked
from nst.config import GROUPS, OPEN_KEYS, Config, documented_keys, wandb_default
from nst.config.strength import content_weight, style_weight, tv_weight
from nst.config.values import explained
from nst.errors import InputError, did_you_mean, printable


def register() -> None:
    """Tell Hydra about schema and launcher, and OmegaConf about the resolvers of ``conf/``."""
    launcher.register()
    ConfigStore.instance().store(name="schema", node=Written)
    resolvers: dict[str, Any] = {
        "nst.run_name": run_name,
        "nst.sweep_name": sweep_name,
        "nst.job_name": job_name,
        "nst.unnamed_keys": unnamed_keys,
        "nst.wandb": wandb_default,
        "nst.style_weight": style_weight,
        "nst.content_weight": content_weight,
        "nst.tv_weight": tv_weight,
    }
    for name, resolver in resolvers.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    # kept with the config, so that jobs, which may be in other processes, have the sweep's own too
    OmegaConf.register_new_resolver("nst.own_folder", own_folder, replace=True, use_cache=True)
    OmegaConf.register_new_resolver("nst.varying", varying, replace=True, use_cache=True)


def compose(*overrides: str, **values: Any) -> Config:
    """The config that the command line would give, checked.

    Args:
        overrides: as on the command line, ``"backbone=vgg19"`` or ``"optimizer.steps=20"``
        values: top-level keys with Python's values, ``size=256``

    Raises:
        InputError: an unknown key or choice, or a value that cannot work.

    >>> compose("backbone=vgg19", "optimizer=adam", size=256).optimizer.lr
    0.02
    """
    register()
    every = [*overrides, *(f"{key}={_rendered(value)}" for key, value in values.items())]
    complaint = fault(every)
    if complaint:
        raise InputError(complaint)
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            composed = hydra.compose("config", open_keys(every))
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(one_line(error)) from error
    return checked(composed)


def one_line(error: Exception) -> str:
    """What Hydra says on several lines: the override, what is wrong with it, and the choices.

    >>> one_line(MissingConfigException("…", "optimizer/adm", ["adam", "lbfgs", "sgd"]))
    'optimizer=adm: no such choice; did you mean adam? (adam, lbfgs, sgd)'
    """
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        return printable(_no_such_choice(str(error.missing_cfg_file), error.options))
    if isinstance(error, OverrideParseException):
        return printable(unreadable(error.override, error))
    if isinstance(error, OmegaConfBaseException):
        return printable(explained(error))
    text = str(error)
    swept = re.match(r"(?:Ambiguous value for argument|Sweep parameters) '(.*)'", text, re.DOTALL)
    if swept and "multirun" in text:
        override = swept[1].split("'\n1. To use it")[0]
        text = f"{override}: several values make a sweep; add -m for a run of each"
        return printable(text + _list(override))
    if "does not support sweep type" in text:
        return (
            "interval() is for sweepers that choose their jobs; give values, as 0,1 or range(0,3)"
        )
    merged = re.match(r"Error merging override (.*)|.*\nTo append .* use \+(.*)", text, re.DOTALL)
    if merged:
        return printable(_refused(merged[1] or merged[2], error.__cause__))
    lines = [*text.splitlines()[:2], _first_line(error.__cause__)]
    return printable(": ".join(line.rstrip(".") for line in lines if line))


def _no_such_choice(missing: str, options: Sequence[str]) -> str:
    """What a group has instead of a choice, as ``optimizer/adm``, and what was meant."""
    group, _, choice = missing.partition("/")
    if group not in GROUPS:  # one of Hydra's, as hydra/launcher
        group, _, choice = missing.rpartition("/")
    package = without_its_package(group, choice)
    if package:
        return package
    meant = meant_by(group, choice)
    hint = f"; did you mean {meant}?" if meant else did_you_mean(choice, options)
    return f"{group}={choice}: no such choice{hint} ({', '.join(options)})"


def _list(override: str) -> str:
    """How to write what a comma may mean otherwise."""
    name, _, value = override.partition("=")
    key = documented_keys().get(name.lstrip("+"))
    if key is None or "number" in key.expected or "," not in override or is_of_files(name):
        return ""
    if key.expected.startswith("text"):
        return f"; a text with a comma is {name}=\"'{value}'\""
    return f"; a list is {name}=[{value}]"


def _refused(override: str, cause: BaseException | None) -> str:
    """Why the config does not take the value of an override."""
    name = override.partition("=")[0].lstrip("+~")
    keys = documented_keys()
    key = keys.get(next((key for key in keys if f"{name}.".startswith(f"{key}.")), ""))
    reason = _first_line(cause)
    if override.startswith("~"):
        return f"{override}: a key cannot be removed, only given another value"
    if name in OPEN_KEYS[:2]:
        return f"{override}: expected a name or {{name: …, option: …}}"
    if key is None or not key.expected:
        return f"{override}: {_absent(name, cause)}"
    if key.name != name:
        return f"{override}: {key.name} is {key.expected}, to be given as a whole"
    if key.expected.startswith(("a list", "a mapping")):
        detail = f" ({reason})" if re.match("Key|Value", reason) else ""
        return f"{override}: expected {key.expected}{detail}"
    value = override.partition("=")[2]
    hint = value_hint(name, value) or did_you_mean(value, key.values.split(", "))
    return f"{override}: expected {key.expected}{hint}"


def _absent(name: str, cause: BaseException | None) -> str:
    """What to say of a key that the config, or a part of Hydra's, does not have."""
    if name == "hydra.launcher.max_batch":
        return "it belongs to hydra/launcher=batched; add that"
    parent, last = getattr(cause, "parent_node", None), name.rpartition(".")[2]
    reason = _first_line(cause) or "the config has no such key"
    if isinstance(parent, DictConfig) and reason.startswith("Key "):
        return reason + did_you_mean(last, map(str, parent))
    return reason


def _first_line(error: BaseException | None) -> str:
    return next(iter(str(error or "").splitlines()), "")


def _rendered(value: Any) -> str:
    """A Python value in Hydra's grammar."""
    if value is None:
        return "null"
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else repr(value)
    if isinstance(value, str | Path):
        return quoted(str(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}: {_rendered(v)}" for key, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(_rendered, value)) + "]"
    raise InputError(f"{value!r} is no value that a config can hold")
