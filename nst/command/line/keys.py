"""Keys that are none: what is wrong with the name on the left of an equals sign."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nst.command.line.hints import close, hint
from nst.config import GROUPS, OPEN_KEYS, documented_keys

_OPEN = ("passes", "optimizer.default_steps", "study.sweep", *OPEN_KEYS)
"""Keys below which are names that the config does not list."""

_SET_BY_OTHERS = {
    "study.name": "choose a study by study=NAME",
    "hydra": "Hydra's own keys are below it, as hydra.run.dir=FOLDER",
}


def unknown_key(argument: str) -> str | None:
    """What is wrong with an override whose key neither the config nor Hydra has, if anything."""
    name, equals, value = argument.partition("=")
    name = name.split("@")[0]
    plain = name.lstrip("+~")
    if plain in _SET_BY_OTHERS:
        return f"{argument}: {_SET_BY_OTHERS[plain]}"
    if plain in ("hydra.run.dir", "hydra.sweep.dir") and value in ("", "null", "''", '""'):
        return f"{argument}: expected a folder"
    if equals and not plain:
        return f"{argument}: expected key=value"
    if name.startswith("~") and not equals and plain in documented_keys():
        return f"{argument}: a key cannot be removed, only given another value"
    if "@" in argument.partition("=")[0]:
        return f"{argument}: expected {plain}=…, without @"
    if not equals or not re.fullmatch(r"\+*[A-Za-z_][\w.]*", name) or plain.startswith("hydra."):
        return None  # a flag, ~gone, or Hydra's own
    keys = set(documented_keys())
    parents = {key.rpartition(".")[0] for key in keys} - {""}
    if plain in keys | parents | set(GROUPS) or is_below(plain, _OPEN):
        return None
    meant = hint(plain, value)
    if meant is not None:
        return f"unknown key {plain!r}{meant}"
    if name != plain:
        return None  # +new
    parent = name.rpartition(".")[0]
    siblings = sorted(key for key in keys if parent and is_below(key, (parent,)))
    listed = siblings or sorted({key for key in keys if "." not in key} | set(GROUPS))
    return f"unknown key {name!r}{close(name)} (known: {', '.join(listed)})"


def is_below(name: str, keys: Sequence[str]) -> bool:
    """Whether a name continues one of the keys after a dot."""
    return name.startswith(tuple(f"{key}." for key in keys))
