"""The report of a sweep: labelled sheets, figures, the table, and one page with all of it.

Question: what does a sweep show, at a glance and in numbers?
Command: ``python -m experiments.report FOLDER`` (several folders stand side by side; a sweep's
report is also written when the sweep ends)
Cost: seconds.
Finding: FOLDER/report.html.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from nst.cli import PlanSweep
from nst.names import PLAN

if TYPE_CHECKING:
    from nst.report import Study
    from nst.sweeps import Sweep

log = logging.getLogger(__name__)

STUDIES = (
    *("layer_ablation", "content_seeds", "texture_layers", "texture_seeds"),
    *("layer_grid", "init_timing", "gallery", "weights"),
)


def find_study(name: str | None) -> Study | None:
    """What the module of that name says; None for a free sweep."""
    if name not in STUDIES:
        return None
    study: Study = import_module(f"experiments.{name}").STUDY
    return study


def report(folders: list[Path], output: Path | None = None) -> Path:
    """Write the report of one folder or several; returns the page.

    Raises:
        InputError: nothing to report.
    """
    from nst.report import write_report
    from nst.sweeps import load_sweep

    sweep = load_sweep(folders)
    where = output or (folders[0] if len(folders) == 1 else Path("outputs") / "report")
    page = write_report(sweep, where, find_study(sweep.study))
    _mirror(sweep, page)
    return page


def _mirror(sweep: Sweep, page: Path) -> None:
    """The report as a W&B run of its own, where its runs were logged there, and as they were."""
    from nst.report import metrics_table, sheets_of
    from nst.tracking_report import log_report

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


@contextmanager
def after_sweep() -> Iterator[None]:
    """At the end of the block, the report of the sweep that it ran, also when a job failed.

    Hydra's own callback for the end of a sweep is not called then. A report's failure costs a
    warning.
    """
    try:
        yield
    finally:
        folder = PlanSweep.folder
        if folder and json.loads((folder / PLAN).read_text(encoding="utf-8"))["report"]:
            _report_or_warn(folder)


def _report_or_warn(folder: Path) -> None:
    from nst.errors import InputError

    try:
        print(f"report: {report([folder])}")
    except InputError as error:
        log.warning("no report: %s", error)
    except Exception:  # the runs are there; the report can be made again
        log.exception("the report failed; try: python -m experiments.report %s", folder)


def main() -> None:
    """Write a report and say where."""
    from nst.errors import InputError

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of a sweep")
    parser.add_argument("--output", type=Path, help="where to write; one folder: into it")
    arguments = parser.parse_args()
    try:
        print(report(arguments.folders, arguments.output))
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
