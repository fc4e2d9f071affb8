"""The command line before Hydra sees it: unknown keys, and what its grammar would misread."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nst.config import GROUPS, OPEN_KEYS, documented_keys
from nst.errors import InputError, did_you_mean

_PATHS = ("content", "style", "init.image", "backbone.weights", "report.judge_weights")
_SWITCH = re.compile(r"^(\+{0,2})report=(?!\{)")
"""``report=false``; ``report={enabled: false}`` is a mapping as Hydra takes it."""


def prepared(arguments: Sequence[str]) -> list[str]:
    """The command line as Hydra takes it.

    Args:
        arguments: the command line without the program's name

    Raises:
        InputError: a key is unknown, or ``resume=true`` names no folder.
    """
    explain_unknown_keys(arguments)
    _require_folder_to_go_on_in(arguments)
    return open_keys(quote_paths(arguments))


def _require_folder_to_go_on_in(arguments: Sequence[str]) -> None:
    """Refuse a run that is to go on in a folder of its own, which is new and empty every time."""
    keys = {argument.partition("=")[0].lstrip("+"): argument for argument in arguments}
    resumes = re.fullmatch(r"\+*resume=(true|yes|on|1)", keys.get("resume", ""), re.IGNORECASE)
    if resumes and not {"hydra.run.dir", "hydra.sweep.dir"} & keys.keys():
        raise InputError(
            "resume=true: name the folder to go on in, as hydra.run.dir=outputs/NAME (a sweep: "
            "hydra.sweep.dir=outputs/sweeps/NAME)"
        )


def quote_paths(arguments: Sequence[str]) -> list[str]:
    """Quote paths that Hydra's grammar would misread: spaces, brackets, accents, a leading ~.

    Only outside a sweep, where a comma separates values.

    >>> quote_paths(["content=photo (1).jpg", "size=64"])
    ["content='photo (1).jpg'", 'size=64']
    """
    if {"-m", "--multirun"} & set(arguments):
        return list(arguments)
    return [_quote(argument) for argument in arguments]


def _quote(argument: str) -> str:
    key, equals, value = argument.partition("=")
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    plain = is_quoted or re.fullmatch(r"[A-Za-z0-9_./\\:-]*", value)
    if not equals or key not in _PATHS or plain:
        return argument
    return f"{key}={quoted(value)}"


def quoted(text: str) -> str:
    r"""Any text as one value of Hydra's grammar, where a backslash counts before a quote only.

    >>> print(quoted("it's"), quoted("C:\\a"), quoted("b\\"))
    'it\'s' 'C:\a' 'b\\'
    """
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return "'" + re.sub(r"(\\+)$", r"\1\1", escaped) + "'"


def explain_unknown_keys(arguments: Sequence[str]) -> None:
    """Name the known keys when an override has an unknown one; Hydra alone names none.

    Args:
        arguments: the command line without the program's name

    Raises:
        InputError: a key is unknown.
    """
    for argument in arguments:
        complaint = unknown_key(argument)
        if complaint:
            raise InputError(complaint)


def unknown_key(argument: str) -> str | None:
    """What is wrong with an override whose key neither the config nor Hydra has; None if nothing.

    A group without a choice counts too: Hydra ends with a traceback there.
    """
    name, equals, value = argument.partition("=")
    name = name.split("@")[0]
    if not equals or not re.fullmatch(r"[A-Za-z_][\w.]*", name) or name.startswith("hydra"):
        return None  # a flag, +new, ~gone, or Hydra's own
    if name in GROUPS and value in ("", "null"):
        return f"{name}={value}: expected one of its choices; ~{name} makes none"
    keys = set(documented_keys())
    parents = {key.rpartition(".")[0] for key in keys} - {""}
    if name in keys | parents | set(GROUPS) or _is_below(name, ("passes", *OPEN_KEYS)):
        return None
    parent = name.rpartition(".")[0]
    siblings = sorted(key for key in keys if parent and _is_below(key, (parent,)))
    listed = siblings or sorted({key for key in keys if "." not in key} | set(GROUPS))
    hint = did_you_mean(name, (*keys, *GROUPS))
    return f"unknown key {name!r}{hint} (known: {', '.join(listed)})"


def open_keys(arguments: Sequence[str]) -> list[str]:
    """Overrides as Hydra takes them where it wants more than a user: see :func:`open_key`.

    A loss that is named beside its options becomes a mapping: else they would replace its name.

    >>> open_keys(["loss.style.activation_shift=0.5", "loss.style=gram"])
    ['loss.style=gram', '++loss.style.name=gram', '++loss.style.activation_shift=0.5']
    """
    options = [argument for argument in arguments if _is_below(argument, OPEN_KEYS)]
    names = [argument for argument in arguments if argument.partition("=")[0] in OPEN_KEYS]
    in_order = iter([*names, *options])
    opened: list[str] = []
    for argument in arguments:
        if argument not in (*names, *options):
            opened.append(open_key(argument))
            continue
        argument = next(in_order)
        opened.append(open_key(argument))
        key, _, value = argument.partition("=")
        if re.fullmatch(r"\w+|'\w+'", value) and any(_is_below(o, (key,)) for o in options):
            opened.append(f"++{key}.name={value}")
    return opened


def open_key(argument: str) -> str:
    """A loss's own options, so that Hydra adds those that the recipe lacks; the switch ``report``.

    >>> open_key("loss.style.activation_shift=0.5"), open_key("size=64")
    ('++loss.style.activation_shift=0.5', 'size=64')
    >>> open_key("loss.pixels={pixel_statistics: {weight: 30}}")
    '++loss.pixels={pixel_statistics: {weight: 30}}'
    >>> open_key("report=false")
    'report.enabled=false'
    """
    argument = _SWITCH.sub(r"\1report.enabled=", argument)
    key, _, value = argument.partition("=")
    is_mapping = key in OPEN_KEYS and value.startswith("{")
    return f"++{argument}" if is_mapping or _is_below(key, OPEN_KEYS) else argument


def _is_below(name: str, keys: Sequence[str]) -> bool:
    """Whether a name continues one of the keys after a dot."""
    return name.startswith(tuple(f"{key}." for key in keys))
