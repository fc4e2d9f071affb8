"""Flags: those that Hydra has, and what was meant by those that it does not have."""

from __future__ import annotations

import argparse
import difflib
import functools
import re
import shlex
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hydra._internal.utils import get_args_parser

from nst.command.line import words
from nst.command.line.choices import as_file
from nst.command.line.hints import Hint, close, hint
from nst.config import documented_keys


@dataclass
class Parts:
    """A command line, sorted.

    Attributes:
        flags: Hydra's, each with its value if it has one: ``["--cfg", "job"]``
        words: what else there is, in order: overrides, and what should be some
        unknown: flags that Hydra does not have, each with the words that may be its values
    """

    flags: list[list[str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    unknown: list[list[str]] = field(default_factory=list)


def complaint(arguments: Sequence[str]) -> str | None:
    """What is wrong with flags and with words that are no override; None where nothing is.

    Where ``--help`` stands, nothing is: the words beside it are what help is asked for.
    """
    if _asks_for_help(arguments):
        return None
    parts = sorted_parts(arguments)
    if parts.unknown:
        return _of_unknown(parts.unknown)
    wrong = next(filter(None, map(_of_value, parts.flags)), None) or _of_several(parts.flags)
    if is_set(arguments, "shell-completion"):
        return wrong or _of_completion(parts.words)
    return wrong or words.complaint(parts.words)


def flags_first(arguments: Sequence[str]) -> list[str]:
    """The same, flags before overrides: argparse takes no overrides on both sides of a flag.

    >>> flags_first(["size=64", "-m", "seed=0,1"])
    ['-m', 'size=64', 'seed=0,1']
    """
    if _asks_for_help(arguments) or "--" in arguments:
        return list(arguments)
    parts = sorted_parts(arguments)
    return [word for part in (*parts.flags, *parts.unknown, parts.words) for word in part]


def is_set(arguments: Sequence[str], name: str) -> bool:
    """Whether one of Hydra's flags is given, by its long name without dashes."""
    given = (option_of(argument) for argument in arguments if argument.startswith("-"))
    return any(option is not None and f"--{name}" in option.option_strings for option in given)


def _asks_for_help(arguments: Sequence[str]) -> bool:
    return any(argument.startswith(("--help", "-h")) for argument in arguments)


@functools.cache
def options() -> Mapping[str, argparse.Action]:
    """{flag: what Hydra's own parser knows of it}."""
    return get_args_parser()._option_string_actions


def option_of(argument: str) -> argparse.Action | None:
    """The flag that Hydra's parser takes an argument for; None if it has no such flag.

    The end of a long flag may be left out where no other begins like it. A short one may have its
    value attached, as ``-cjob``, where it is one of its choices; ``-content_image`` is no ``-c``.
    """
    head = argument.partition("=")[0]
    if head in options():
        return options()[head]
    if argument.startswith("--"):
        matches = [option for option in options() if option.startswith(head)]
        return options()[matches[0]] if len(matches) == 1 else None
    short = options().get(argument[:2])
    return short if short is not None and argument[2:] in (short.choices or ()) else None


def sorted_parts(arguments: Sequence[str]) -> Parts:
    """Flags and their values apart from overrides."""
    parts, rest = Parts(), deque(arguments)
    while rest:
        argument = rest.popleft()
        if argument == "--":
            parts.words += rest
            break
        if not _is_flag(argument):
            parts.words.append(argument)
            continue
        option = option_of(argument)
        if option is None:
            parts.unknown.append([argument, *_bare_words(rest)])
            continue
        is_alone = argument in options() or (argument.startswith("--") and "=" not in argument)
        is_optional = option.nargs == "?" and bool(rest) and "=" in rest[0]
        takes_next = is_alone and option.nargs != 0 and not is_optional
        follows = takes_next and bool(rest) and not _is_flag(rest[0])
        parts.flags.append([argument, rest.popleft()] if follows else [argument])
    return parts


def _is_flag(argument: str) -> bool:
    """A dash with a name; ``-`` and ``-3`` are words."""
    return argument.startswith("-") and argument[1:2] not in ("", *"0123456789.")


def _bare_words(rest: deque[str]) -> list[str]:
    """Take the words that may be the values of an unknown flag: all up to an override or flag."""
    taken: list[str] = []
    while rest and not words.is_override(rest[0]) and not _is_flag(rest[0]):
        taken.append(rest.popleft())
    return taken


def _of_value(flag: Sequence[str]) -> str | None:
    """What is wrong with the value of one of Hydra's flags."""
    option = option_of(flag[0])
    assert option is not None
    if option.nargs == 0:
        return f"{flag[0]}: expected no value" if "=" in flag[0] else None
    attached = flag[0].partition("=")[2] if flag[0].startswith("--") else flag[0][2:]
    value = flag[1] if flag[1:] else "" if flag[0] in options() else attached
    known = tuple(option.choices or ())
    if option.dest == "experimental_rerun" and value and not as_file(value):
        return f"{' '.join(flag)}: no such file; expected a config that Hydra has pickled"
    if value in known or (value and not known) or (not value and option.nargs == "?"):
        return None
    return f"{' '.join(flag)}: expected {'one of ' + ', '.join(known) if known else 'a value'}"


def _of_several(flags: Sequence[Sequence[str]]) -> str | None:
    """What is wrong with Hydra's flags beside each other, of which it says so by a traceback."""
    given = {option.dest: flag[0] for flag in flags if (option := option_of(flag[0]))}
    modes = ("run", "multirun", "cfg", "info", "shell_completion")
    at_once = [given[mode] for mode in modes if mode in given]
    if len(at_once) > 1:
        return f"{' '.join(at_once)}: expected one of these flags at a time"
    if "resolve" in given and "cfg" not in given:
        return "--resolve: expected --cfg job beside it"
    return None


def _of_completion(subcommands: Sequence[str]) -> str | None:
    """What is wrong with what stands beside ``--shell-completion``."""
    known = re.compile("(install|uninstall|query)=(bash|fish|zsh)")
    if len([word for word in subcommands if known.fullmatch(word)]) == len(subcommands) == 1:
        return None
    return "--shell-completion: expected install=bash, or fish or zsh, or uninstall= of these"


def _of_unknown(flags: Sequence[Sequence[str]]) -> str:
    """What to write for flags that Hydra does not have: keys, or the flag that one is like."""
    answers = [_answer(flag) for flag in flags]
    for flag, answer in zip(flags, answers, strict=True):
        if answer is None:
            return f"{flag[0]}: no such flag{_like(flag[0].partition('=')[0])}"
        if not answer.write:
            return f"{flag[0]}: {answer.note}"
    written = shlex.join(word for flag in flags for word in flag)
    writes = " ".join(answer.write for answer in answers if answer)
    return f"{written}: a key is written without dashes, as key=value; did you mean {writes}?"


def _answer(flag: Sequence[str]) -> Hint | None:
    """The key that a flag with its values stands for, where that is certain."""
    head, equals, value = flag[0].partition("=")
    if _nearest(head, 0.85):
        return None  # --multi-run
    name = head.lstrip("-")
    values = ",".join([*([value] if equals else []), *flag[1:]])
    answer = hint(name, values)
    if answer is None or not answer.write or "=" in answer.write or answer.write.startswith("-"):
        return answer
    key = documented_keys().get(answer.write)
    return Hint(f"{answer.write}={'true' if key and key.values == 'true/false' else '…'}")


def _like(flag: str) -> str:
    """``; did you mean --help?``, or a key, or where the flags are listed."""
    near = _nearest(flag, 0.6)
    if near:
        return f"; did you mean {near}?"
    key = close(flag.lstrip("-").replace("-", "_"))
    nothing = " (--help lists the keys, --hydra-help the flags)"
    return f"{key} (a key has no dashes: key=value)" if key else nothing


def _nearest(flag: str, cutoff: float) -> str | None:
    """Hydra's flag that one is like, at least so much from 0 to 1."""
    names = [option[2:] for option in options() if option.startswith("--")]
    near = difflib.get_close_matches(flag.lstrip("-"), names, 1, cutoff)
    return f"--{near[0]}" if near else None
