"""The report of sweeps by their folders: read back, judged, written, mirrored to W&B."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from nst.reports.report import Study, metrics_table, sheets_of, write_report
from nst.reports.sweeps import Sweep, load_sweep
from nst.reports.tracking import log_report


def find_study(name: str | None) -> Study | None:
    """The ``STUDY`` of ``experiments/studies/NAME.py``; None for a free sweep."""
    module = f"experiments.studies.{name}"
    if name is None or find_spec(module) is None:
        return None
    study: Study = import_module(module).STUDY
    return study


def report(folders: list[Path], output: Path | None = None) -> Path:
    """Write the report of one folder or several; returns the page.

    Args:
        folders: of sweeps
        output: where to write; by default into the folder, of several into ``outputs/report``

    Raises:
        InputError: nothing to report.
    """
    sweep = load_sweep(folders)
    where = output or (folders[0] if len(folders) == 1 else Path("outputs") / "report")
    page = write_report(sweep, where, find_study(sweep.study))
    _mirror(sweep, page)
    return page


def _mirror(sweep: Sweep, page: Path) -> None:
    """The report as a W&B run of its own, where its runs were logged there, and as they were."""
    logged = sweep.runs.index[sweep.runs["config.logger.name"] == "wandb"]
    if logged.empty:
        return
    settings = {
        key: sweep.value(logged[-1], f"config.logger.{key}")
        for key in ("mode", "project", "entity")
    }
    groups = set(sweep.runs.get("group", ()))
    study = find_study(sweep.study)
    finding = study.judge(sweep) if study else None
    log_report(
        page.parent / "report",
        **settings,
        name=f"report: {sweep.study or 'sweep'} {page.parent.name}",
        group=groups.pop() if len(groups) == 1 else None,
        study=study.name if study else None,
        table=metrics_table(sweep),
        images={file.stem: file for file in sheets_of(page)},
        html=page,
        summary={"finding": finding.status, "text": finding.text} if finding else {},
    )
