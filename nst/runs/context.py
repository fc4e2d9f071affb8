"""What a job knows of its surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Context:
    """Where a job is written, and what it is called.

    Attributes:
        folder: where the run is written
        name: short, readable; the overrides' slug
        group: of the sweep, or None
        overrides: of the command line
        job: which job of a sweep it is, in words, or nothing
        later: whether other jobs of the sweep came before it
    """

    folder: Path
    name: str = "run"
    group: str | None = None
    overrides: Sequence[str] = field(default_factory=tuple)
    job: str = ""
    later: bool = False


def relative(path: Path) -> Path:
    """A path below the working directory as seen from there; others as they are."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
