"""Every key of the config in words, for ``--help`` and for docs/configuration.md."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from omegaconf import MISSING

from nst.config.schema import Config


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        name: as on the command line
        text: what it means, in a sentence
        values: the choices of an enum, or the kind of number; empty for free text
        default: of the dataclass; None where a config group or a recipe sets it
    """

    name: str
    text: str
    values: str
    default: Any


def documented_keys(schema: type = Config, prefix: str = "") -> dict[str, Key]:
    """{name: key} of every key of the config, in order.

    Args:
        schema: the dataclass to list
        prefix: of the names, as ``optimizer.``
    """
    hints = typing.get_type_hints(schema)
    keys: dict[str, Key] = {}
    for item in fields(schema):
        hint, name = hints[item.name], prefix + item.name
        if dataclasses.is_dataclass(hint):
            keys |= documented_keys(typing.cast(type, hint), f"{name}.")
        else:
            default = None if item.default in (MISSING, dataclasses.MISSING) else item.default
            keys[name] = Key(name, item.metadata.get("doc", ""), _values(hint), default)
    return keys


def _values(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(hint.__members__)
    names = {int: "int", float: "float", bool: "true/false"}
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return ", ".join(names[option] for option in options if option in names)
