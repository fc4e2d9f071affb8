"""Words of the command line that are no ``key=value``, and what to write for them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from nst.command.line.choices import as_choice, as_file, looks_like_a_picture
from nst.config import GROUPS, Task, documented_keys
from nst.config.samples import PAINTINGS

_FLAGS = {"help": "--help", "?": "--help", "/?": "--help", "usage": "--help", "info": "--help"}
_FLAGS |= {"version": "--version", "multirun": "-m", "sweep": "-m", "cfg": "--cfg job"}


def is_override(argument: str) -> bool:
    """Whether Hydra would read a word as an override: ``key=value``, or ``~key``."""
    return "=" in argument.lstrip("=") or argument.startswith("~")


def complaint(words: Sequence[str]) -> str | None:
    """What is wrong with the first words that are no override, if there are any.

    Args:
        words: the command line without flags and what belongs to them
    """
    if all(map(is_override, words)):
        return None
    return _broken_at_a_space(words) or _spaced(words) or _bare(words)


def _broken_at_a_space(words: Sequence[str]) -> str | None:
    """A file's name, or a list, whose parts the shell took for words of their own."""
    for start, word in enumerate(words):
        if not is_override(word) or word.startswith("~"):
            continue
        key, _, value = word.partition("=")
        for end in range(start + 2, len(words) + 1):
            if is_override(words[end - 1]):
                break
            whole = " ".join([value, *words[start + 1 : end]])
            if as_file(whole) or (_is_open(value) and not _is_open(whole)):
                fixed = shlex.quote(f"{key}={whole}")
                return f"{key}={whole}: the shell takes what has spaces apart; write {fixed}"
    return None


def _is_open(value: str) -> bool:
    """Whether a bracket is opened and not closed."""
    return any(value.count(one) > value.count(other) for one, other in ("[]", "{}", "()"))


def _spaced(words: Sequence[str]) -> str | None:
    """``size = 256``, ``size= 256``, ``size =256``, ``size 256``, ``size: 256``, ``size:256``."""
    for start, word in enumerate(words):
        text = " ".join(words[start : start + 3])
        match = re.match(r"([\w./]+)(?: ?=(?= )| =|:| )\s*([^\s=]+)(?=\s|$)", text)
        if match is None or not _is_key(match[1]) or (is_override(word) and word[-1] != "="):
            continue
        fixed = shlex.quote(f"{match[1]}={match[2]}")
        return f"{match[0]}: a key and its value are one word; write {fixed}"
    return None


def _is_key(name: str) -> bool:
    return name in documented_keys() or name in GROUPS


def _bare(words: Sequence[str]) -> str:
    """Words that stand alone: pictures, choices, what is a flag."""
    free = [key for key in ("content", "style") if not any(w.startswith(f"{key}=") for w in words)]
    bare = [word for word in words if not is_override(word)]
    if len(bare) == 1 and bare[0] in PAINTINGS and "style" in free:
        free = ["style"]
    writes: list[str] = []
    for word in bare:
        if free and looks_like_a_picture(word):
            writes.append(shlex.quote(f"{free.pop(0)}={word}"))
        else:
            writes += _meant(word)
    if len(writes) < len(bare):
        unknown = next((word for word in bare if not _known(word)), bare[-1])
        return f"{unknown}: expected key=value, as size=256 (--help lists the keys)"
    return f"{' '.join(bare)}: expected key=value; did you mean {' '.join(writes)}?"


def _meant(word: str) -> list[str]:
    if word.lower() in _FLAGS:
        return [_FLAGS[word.lower()]]
    if word in Task.__members__:
        return [f"task={word}"]
    chosen = as_choice(word)
    return [chosen] if chosen else []


def _known(word: str) -> bool:
    return bool(_meant(word)) or looks_like_a_picture(word)
