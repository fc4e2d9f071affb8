"""``--version``: what a report of a bug should name."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from nst.command.line.flags import is_set


def asks_for_version(arguments: Sequence[str]) -> bool:
    """Whether ``--version`` is among the arguments; Hydra would say its own."""
    return is_set(arguments, "version")


def versions() -> str:
    """The versions of nst, torch and Python, the first two as their packages say, not loaded."""
    return f"nst {_of('nst')}, torch {_of('torch')}, Python {platform.python_version()}"


def _of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
