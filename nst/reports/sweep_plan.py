"""``sweep.json``: what a sweep was asked for, so that its report can say what is missing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

PLAN = "sweep.json"


@dataclass(frozen=True)
class SweepPlan:
    """A sweep as it was started; empty for a folder of runs that no sweep wrote.

    Attributes:
        study: its name, or None
        study_size: ``full`` or ``quick``
        overrides: of the command line
        jobs: the overrides of each job
        report: whether a report is wanted at the end
    """

    study: str | None = None
    study_size: str | None = None
    overrides: list[str] = field(default_factory=list)
    jobs: list[list[str]] = field(default_factory=list)
    report: bool = False

    def write(self, folder: Path) -> None:
        """Write it into a sweep's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=2) + "\n"
        (folder / PLAN).write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> SweepPlan | None:
        """The plan in a folder; None where it has none."""
        file = folder / PLAN
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None
