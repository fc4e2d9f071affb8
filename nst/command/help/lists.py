"""The help page's lists: config groups with their choices, every key in words, and the samples."""

from __future__ import annotations

import textwrap
from itertools import takewhile
from pathlib import Path

import yaml

from nst.config import GROUPS, documented_keys
from nst.config.samples import PAINTINGS, PHOTOS

WIDTH = 80
"""Columns of a terminal, at the least."""


def help_groups(conf: Path) -> str:
    """The config groups with their choices, each with the first comment line of its file.

    Args:
        conf: the folder of the config files
    """
    defaults = default_choices(conf)
    lines: list[str] = []
    for group, meaning in GROUPS.items():
        lines.append(f"{group}: {meaning}")
        for file in sorted((conf / group).glob("*.yaml")):
            mark = " (default)" if defaults.get(group) == file.stem else ""
            text = textwrap.wrap(first_comment(file) + mark, WIDTH - 21)
            lines.append(f"    {file.stem:<16} {text[0]}")
            lines += [" " * 21 + line for line in text[1:]]
    return "\n".join(lines)


def help_keys() -> str:
    """Every key, and below it what it means and the values it takes."""
    lines = []
    for key in documented_keys().values():
        values = f" [{key.values}]" if key.values else ""
        text = textwrap.wrap(key.text + values, WIDTH - 8)
        lines += [f"    {key.name}", *(f"        {line}" for line in text)]
    return "\n".join(lines)


def help_samples() -> str:
    """The names of the bundled pictures."""
    return f"Samples: {' '.join(PHOTOS)} (photos),\n         {' '.join(PAINTINGS)} (paintings)."


def first_comment(file: Path) -> str:
    """What a config file says of itself, in a line."""
    return next(iter(comments(file)), "")


def comments(file: Path) -> list[str]:
    """The lines of comment that a config file begins with."""
    lines = file.read_text(encoding="utf-8").splitlines()
    begins = takewhile(lambda line: line.startswith("#"), lines)
    return [line.lstrip("# ").rstrip() for line in begins if "@package" not in line]


def default_choices(conf: Path) -> dict[str, str]:
    """{group: its choice where the command line names none}."""
    entries = yaml.safe_load((conf / "config.yaml").read_text(encoding="utf-8"))["defaults"]
    chosen = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
    return {group: choice for group, choice in chosen if group in GROUPS}
