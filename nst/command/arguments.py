"""The command line before Hydra sees it: unknown keys, and what its grammar would trip over."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from nst.config import GROUPS, OPEN_KEYS, documented_keys
from nst.errors import did_you_mean

_PATHS = ("content", "style", "init.image", "backbone.weights")


def prepared(arguments: Sequence[str]) -> list[str]:
    """The command line as Hydra takes it; exits where a key is unknown.

    Args:
        arguments: the command line without the program's name
    """
    explain_unknown_keys(arguments)
    return [open_key(argument) for argument in quote_paths(arguments)]


def quote_paths(arguments: Sequence[str]) -> list[str]:
    """Quote paths that Hydra's grammar would trip over: spaces, brackets, accents, a leading ~.

    Only outside a sweep, where a comma separates values.

    >>> quote_paths(["content=photo (1).jpg", "size=64"])
    ["content='photo (1).jpg'", 'size=64']
    """
    if {"-m", "--multirun"} & set(arguments):
        return list(arguments)
    return [_quote(argument) for argument in arguments]


def _quote(argument: str) -> str:
    key, equals, value = argument.partition("=")
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    plain = quoted or re.fullmatch(r"[A-Za-z0-9_./\\:-]*", value)
    if not equals or key not in _PATHS or plain:
        return argument
    escaped = value.replace("'", "\\'")
    return f"{key}='{escaped}'"


def explain_unknown_keys(arguments: Sequence[str]) -> None:
    """Exit with the known keys when an override has an unknown one; Hydra alone names none.

    Args:
        arguments: the command line without the program's name
    """
    for argument in arguments:
        complaint = unknown_key(argument)
        if complaint:
            sys.exit(f"error: {complaint}")


def unknown_key(argument: str) -> str | None:
    """What to say of an override whose key neither the config nor Hydra has; None where it does."""
    name, equals, _ = argument.partition("=")
    name = name.split("@")[0]
    if not equals or not re.fullmatch(r"[A-Za-z_][\w.]*", name) or name.startswith("hydra"):
        return None  # a flag, +new, ~gone, or Hydra's own
    keys = set(documented_keys())
    parents = {key.rpartition(".")[0] for key in keys} - {""}
    if name in keys | parents | set(GROUPS) or name.startswith(("passes", *OPEN_KEYS)):
        return None
    parent = name.rpartition(".")[0]
    near = sorted(key for key in keys if parent and key.startswith(parent + "."))
    listed = near or sorted({key for key in keys if "." not in key} | set(GROUPS))
    hint = did_you_mean(name, (*keys, *GROUPS))
    return f"unknown key {name!r}{hint} (known: {', '.join(listed)})"


def open_key(argument: str) -> str:
    """An override of a loss's own option, so that Hydra adds it where the recipe does not have it.

    >>> open_key("loss.style.activation_shift=0.5"), open_key("size=64")
    ('++loss.style.activation_shift=0.5', 'size=64')
    """
    is_open = argument.startswith(tuple(f"{key}." for key in OPEN_KEYS))
    return f"++{argument}" if is_open else argument
