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
        expected: its values in a sentence, as "a whole number"; empty where types do not say
    """

    name: str
    text: str
    values: str
    default: Any
    expected: str


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
            text = item.metadata.get("doc", "")
            keys[name] = Key(name, text, _values(hint), default, expected(hint))
    return keys


def _values(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(hint.__members__)
    names = {int: "int", float: "float", bool: "true/false"}
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return ", ".join(names[option] for option in options if option in names)


def expected(hint: Any) -> str:
    """What a value of a type is, for messages.

    >>> expected(int), expected(float | None), expected(list[str])
    ('a whole number', 'a number or null', 'a list, as [a, b]')
    """
    if isinstance(hint, types.UnionType):
        return " or ".join(expected(option) for option in typing.get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f"one of {', '.join(hint.__members__)}"
    kind = typing.get_origin(hint) or hint
    items = typing.get_args(hint)[-1:]
    if kind is list and dataclasses.is_dataclass(items[0]):
        names = ", ".join(f"{item.name}: …" for item in fields(items[0]))
        return f"a list, as [{{{names}}}]"
    words: dict[Any, str] = {
        **{int: "a whole number", float: "a number", bool: "true or false", str: "text"},
        **{types.NoneType: "null", list: "a list, as [a, b]", dict: "a mapping, as {name: value}"},
    }
    return words.get(kind, "")
