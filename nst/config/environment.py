"""What W&B's variables in the environment say of ``logger``, where the command line does not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from nst.config.schema import LoggerConfig, WandbMode
from nst.errors import InputError

_VARIABLES = {
    "mode": "WANDB_MODE",
    "project": "WANDB_PROJECT",
    "entity": "WANDB_ENTITY",
    "group": "WANDB_RUN_GROUP",
    "tags": "WANDB_TAGS",
}
_OTHER_MODES = {"dryrun": WandbMode.offline, "run": WandbMode.online}
"""W&B's older words."""


def wandb_default(key: str, environment: Mapping[str, str] | None = None) -> Any:
    """The value of a key of ``logger`` that nobody set: of its variable, else of the schema.

    Args:
        key: ``mode``, ``project``, ``entity``, ``group`` or ``tags``
        environment: None: that of the process

    Raises:
        InputError: W&B knows no such mode.

    >>> wandb_default("tags", {"WANDB_TAGS": "red, blue"}), wandb_default("project", {})
    (['red', 'blue'], 'nst')
    >>> wandb_default("mode", {"WANDB_MODE": "dryrun"}), wandb_default("mode", {})
    ('offline', 'offline')
    """
    environment = os.environ if environment is None else environment
    said = environment.get(_VARIABLES[key], "").strip()
    if key == "mode":
        return _mode(said, environment).name
    if not said:
        return getattr(LoggerConfig(), key)
    return [tag.strip() for tag in said.split(",") if tag.strip()] if key == "tags" else said


def _mode(said: str, environment: Mapping[str, str]) -> WandbMode:
    if environment.get("WANDB_DISABLED", "").strip().lower() in ("true", "1", "yes", "on"):
        return WandbMode.disabled
    word = said.lower() or LoggerConfig().mode.name
    if word in _OTHER_MODES:
        return _OTHER_MODES[word]
    if word not in WandbMode.__members__:
        raise InputError(f"WANDB_MODE={said}: expected one of {', '.join(WandbMode.__members__)}")
    return WandbMode[word]
