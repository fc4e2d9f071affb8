"""The command line before Hydra sees it: unknown keys, and what its grammar would misread."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    Override,
    QuotedString,
    RangeSweep,
    Sweep,
)
from hydra.errors import HydraException

from nst.command.line import flags, pictures, sweeps
from nst.command.line.choices import instead_of, meant_by
from nst.command.line.keys import is_below, unknown_key
from nst.command.line.names import quote_paths, quoted, runs_sweep
from nst.config import GROUPS, OPEN_KEYS, documented_keys
from nst.errors import InputError, printable

log = logging.getLogger("nst")

_CHOICE = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*")
_MOST_JOBS = 10_000
_DEEPEST = 50
_TOO_DEEP = f"expected brackets nested {_DEEPEST} times at most"
_SWITCH = re.compile(r"^(\+{0,2})report=(?!\{)")
"""``report=false``; ``report={enabled: false}`` is a mapping as Hydra takes it."""


def prepared(arguments: Sequence[str]) -> list[str]:
    """The command line as Hydra takes it.

    Args:
        arguments: the command line without the program's name and ``repeat=FILE``
            (:func:`nst.command.line.repeat.repeated`)

    Raises:
        InputError: an override that cannot be (Hydra alone says less, or hangs), or
            ``resume=true`` names no folder.
    """
    complaint = flags.complaint(arguments)
    if complaint is None and flags.is_set(arguments, "shell-completion"):
        return list(arguments)  # install=bash is no override
    if complaint:
        raise InputError(complaint)
    ordered = pictures.expanded(flags.flags_first(arguments))
    quoted_paths = quote_paths(ordered)
    complaint = fault(quoted_paths) or sweeps.without_flag(ordered)
    complaint = complaint or sweeps.lost_sweep(quoted_paths)
    if complaint:
        raise InputError(complaint)
    for first, second in sweeps.given_twice(quoted_paths):
        log.warning("%s counts for nothing: %s comes after it", first, second)
    _require_folder_to_go_on_in(ordered)
    return open_keys(quoted_paths)


def _require_folder_to_go_on_in(arguments: Sequence[str]) -> None:
    """Refuse a run that is to go on in a folder of its own, which is new and empty every time."""
    keys = {argument.partition("=")[0].lstrip("+"): argument for argument in arguments}
    resumes = re.fullmatch(r"\+*resume=(true|yes|on|1)", keys.get("resume", ""), re.IGNORECASE)
    sweep = runs_sweep(arguments)
    key, folder = ("hydra.sweep.dir", "outputs/sweeps") if sweep else ("hydra.run.dir", "outputs")
    if resumes and key not in keys:
        what = "a sweep goes" if sweep else "a run goes"
        raise InputError(f"resume=true: name the folder that {what} on in, as {key}={folder}/NAME")


def fault(arguments: Sequence[str]) -> str | None:
    """What is wrong with overrides as far as they alone tell, in one line; None if nothing."""
    jobs = 1
    for argument in arguments:
        if argument.startswith("-") or ("=" not in argument and not argument.startswith("~")):
            continue  # a flag, and what stands behind one
        if re.search("[\0\ud800-\udfff]", argument):
            return printable(f"{argument}: expected text in UTF-8; rename the file")
        complaint = unknown_key(argument)
        if complaint is None:
            complaint, values = _misread(argument)
            jobs *= values
        if complaint is None and jobs > _MOST_JOBS:
            complaint = f"{argument}: expected {_MOST_JOBS} jobs in a sweep at most"
        if complaint is not None:
            return printable(complaint)
    return None


def _misread(argument: str) -> tuple[str | None, int]:
    """What is wrong with the value of an override; and how many values there are."""
    try:
        override = OverridesParser.create().parse_overrides([argument])[0]
        return _misplaced(argument, override), _count(override)
    except HydraException as error:
        return unreadable(argument, error), 1
    except (ValueError, ArithmeticError) as error:  # of numbers that Hydra computes with
        return f"{argument}: {error}", 1
    except RecursionError:
        return f"{argument}: {_TOO_DEEP}", 1


def _misplaced(argument: str, override: Override) -> str | None:
    """What is wrong with a value that the grammar takes."""
    name = override.key_or_group
    value: Any = override.value()
    if _depth(value) > _DEEPEST or argument.count("${") > _DEEPEST:
        return f"{argument}: {_TOO_DEEP}"
    if any(isinstance(inner, Sweep | Glob) for outer in _items(value) for inner in _within(outer)):
        return f"{argument}: a sweep cannot stand within another one or a list; write its values"
    if name in GROUPS or "/" in name:
        return _misnamed_choice(argument, override)
    if isinstance(value, Glob):
        return f"{argument}: glob() finds choices of a group, as loss=glob(gatys*), no files"
    meant = instead_of(name, value) if isinstance(value, str) else None
    if meant:
        return f"{argument}: {value} is a choice of another key; did you mean {meant}?"
    key = documented_keys().get("report.enabled" if name == "report" else name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if key and key.values == "true/false" and is_number and value not in (0, 1):
        return f"{argument}: expected true or false"
    return None


def _items(value: object) -> Sequence[object]:
    """What a sweep, a list or a mapping consists of."""
    if isinstance(value, ChoiceSweep):
        return value.list
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else ()


def _within(value: object) -> Iterator[object]:
    """A value, and all that it consists of."""
    yield value
    for item in _items(value):
        yield from _within(item)


def _depth(value: object) -> int:
    """How deeply the lists and mappings of a value are nested."""
    return 1 + max(map(_depth, _items(value)), default=0)


def unreadable(argument: str, error: HydraException) -> str:
    """What Hydra says of an override that its grammar does not take, and what would help."""
    lines = str(error).splitlines()
    key, equals, value = argument.partition("=")
    known = re.search(r"(while evaluating .*|missing EQUAL.*)", lines[1] if lines[1:] else "")
    if not equals:
        return f"{argument}: expected key=value"
    if known and known[1].startswith("while"):
        return f"{argument}: {known[1].removeprefix('while evaluating ')}"
    example = f'"{key}={quoted(value)}"' if value else f"{key}=''"
    return (
        f"{argument}: Hydra's grammar cannot read this; text in quotes of its own can be: {example}"
    )


def _count(override: Override) -> int:
    """How many values an override sweeps over; 1 without a sweep.

    Raises:
        ValueError, ArithmeticError: a range without an end.
    """
    swept = override.value()
    if isinstance(swept, ChoiceSweep):
        return len(swept.list)
    if not isinstance(swept, RangeSweep):
        return 1
    assert swept.start is not None
    assert swept.stop is not None
    steps = (swept.stop - swept.start) / swept.step
    if not math.isfinite(steps):
        raise ValueError("expected a range from one finite number to another")
    return max(0, math.ceil(steps))


def _misnamed_choice(argument: str, override: Override) -> str | None:
    """What is wrong with the choices of a group."""
    group, value = override.key_or_group, override.value()
    values = value.list if isinstance(value, ChoiceSweep) else [value]
    names = [v.text if isinstance(v, QuotedString) else v for v in values]
    for name in names:
        if isinstance(name, Glob) or (name is None and override.is_delete()):
            continue  # names that exist; any choice
        if isinstance(name, dict) and group in GROUPS and not override.is_delete():
            continue  # keys of the group
        if isinstance(name, list) and len(name) == 1:
            name = name[0]
        if not isinstance(name, str) or not _CHOICE.fullmatch(name):
            none = {"logger": "logger=none", "preset": "~preset", "study": "~study"}.get(group)
            better = f"; {none} makes none" if none else ""
            meant = meant_by(group, argument.partition("=")[2])
            better = f"; did you mean {meant}?" if meant else better
            return f"{argument}: expected the name of one of its choices{better}"
    return None


def open_keys(arguments: Sequence[str]) -> list[str]:
    """Overrides as Hydra takes them where it wants more than a user: see :func:`open_key`.

    A loss that is named beside its options becomes a mapping: else they would replace its name.

    >>> open_keys(["loss.style.activation_shift=0.5", "loss.style=gram"])
    ['loss.style=gram', '++loss.style.name=gram', '++loss.style.activation_shift=0.5']
    """
    options = [argument for argument in arguments if is_below(argument, OPEN_KEYS)]
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
        if re.fullmatch(r"\w+|'\w+'", value) and any(is_below(o, (key,)) for o in options):
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
    return f"++{argument}" if is_mapping or is_below(key, OPEN_KEYS) else argument
