"""``sweep.json``: what a sweep was asked for, so that its report can say what is missing."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import NoneType

from nst import durable
from nst.errors import InputError
from nst.reports.own_files import check_report_place

PLAN = "sweep.json"


@dataclass(frozen=True)
class SweepPlan:
    """A sweep as it was started; empty for a folder of runs that no sweep wrote.

    Attributes:
        study: its name, or None
        study_size: ``full`` or ``quick``
        overrides: of the command line
        jobs: the overrides of each job
        report: whether a report is written at the end
    """

    study: str | None = None
    study_size: str | None = None
    overrides: list[str] = field(default_factory=list)
    jobs: list[list[str]] = field(default_factory=list)
    report: bool = False

    def write(self, folder: Path) -> None:
        """Write it into a sweep's folder, in place of an earlier sweep's.

        Raises:
            InputError: the folder holds a file of that name that no sweep wrote, or one that the
                report at the end would replace; nothing is written then.
        """
        self.check(folder)
        durable.write_text(folder / PLAN, json.dumps(asdict(self), indent=2) + "\n")

    def check(self, folder: Path) -> None:
        """Check that sweep and report replace nobody's files; the folder may be missing.

        Raises:
            InputError: they would.
        """
        file = folder / PLAN
        if os.path.lexists(file) and SweepPlan.read(folder) is None:
            raise InputError(
                f"{file.absolute()} was not written by a sweep of nst, and this sweep would "
                "replace it; move it elsewhere, or choose another folder by hydra.sweep.dir"
            )
        if self.report:
            check_report_place(folder)

    @classmethod
    def read(cls, folder: Path) -> SweepPlan | None:
        """The plan in a folder; None where it has none, also where a file has only its name."""
        file = folder / PLAN
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        keys = {item.name for item in fields(cls)}
        if not isinstance(values, dict) or not {"overrides", "jobs"} <= set(values) <= keys:
            return None
        plan = cls(**values)
        named = all(isinstance(name, (str, NoneType)) for name in (plan.study, plan.study_size))
        listed = isinstance(plan.jobs, list) and all(map(_is_texts, [plan.overrides, *plan.jobs]))
        return plan if named and listed else None


def _is_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(each, str) for each in values)
