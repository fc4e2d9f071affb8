"""The report of sweeps by their folders: read back, judged, written, mirrored to W&B.

======================================  ========================================================
``report.html``                         the page; its pictures are embedded
``report/contact_sheet*.png``           pictures in rows and columns, originals on the border
``report/NAME.png``, ``NAME.pdf``       each figure, for a screen and for a paper
``report/runs.csv``                     the table, a row for each run
``report/.nst-report``                  the mark: which of these files are the report's
======================================  ========================================================

Everything is made from the run folders alone, and no file of somebody else is replaced
(:mod:`nst.reports.own_files`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nst.reports.drawing.figures import general_figures
from nst.reports.drawing.style import Drawing, save_figure
from nst.reports.findings.studies import Study, find_study
from nst.reports.layout import lay_out, panel_sheet
from nst.reports.own_files import BESIDE, PAGE, OwnFiles, check_report_place
from nst.reports.page import render
from nst.reports.sweeps import Sweep, load_sweep
from nst.reports.tables import metrics_table
from nst.reports.tracking import log_report

TABLE = "runs.csv"


@dataclass(frozen=True)
class Report:
    """A report on disk.

    Attributes:
        page: its page
        pictures: {name: PNG} in ``report/``, contact sheets first
    """

    page: Path
    pictures: dict[str, Path]


def report(folders: list[Path], output: Path | None = None) -> Path:
    """Write the report of one folder or several; returns the page.

    Args:
        folders: of sweeps
        output: where to write; by default into the folder, of several into ``outputs/report``

    Raises:
        InputError: nothing to report, or a file in the way that no report wrote.
    """
    sweep = load_sweep(folders)
    default = folders[0] if len(folders) == 1 else Path("outputs") / "report"
    written = write_report(sweep, output or default, find_study(sweep.study))
    _mirror(sweep, written)
    return written.page


def write_report(sweep: Sweep, folder: Path, study: Study | None = None) -> Report:
    """Write the page, the sheets, the figures and the table below a folder.

    What an earlier report wrote there and this one does not is removed.

    Raises:
        InputError: a file in the way that no report wrote.
    """
    panels = lay_out(sweep, study)
    sheets = {_sheet_name(i, len(panels)): panel_sheet(sweep, p) for i, p in enumerate(panels)}
    figures, table = _draw(sweep, study), metrics_table(sweep)
    save: dict[str, Callable[[Path], object]] = {
        **{f"{name}.png": sheet.save for name, sheet in sheets.items()},
        **{
            f"{name}.{suffix}": partial(save_figure, drawing.figure)
            for name, drawing in figures.items()
            for suffix in ("png", "pdf")
        },
        TABLE: partial(table.to_csv, index=False),
    }
    check_report_place(folder, save)
    files = OwnFiles(folder / BESIDE)
    files.remove(name for name in files.names() if name not in save and "/" not in name)
    for name, write in save.items():
        with files.replacing(name) as file:
            write(file)
    pictures = {name: files.folder / f"{name}.png" for name in (*sheets, *figures)}
    embedded = {name: pictures[name].read_bytes() for name in figures}
    page = _write_page(folder, render(sweep, study, panels, embedded, table, folder))
    return Report(page, pictures)


def _sheet_name(number: int, count: int) -> str:
    return "contact_sheet" + (f"_{number + 1}" if count > 1 else "")


def _draw(sweep: Sweep, study: Study | None) -> dict[str, Drawing]:
    """The study's own figures, and the general ones that it does not replace."""
    drawn = study.figures(sweep) if study else {}
    of_study = {name: Drawing(figure, "") for name, figure in drawn.items()}
    general = general_figures(sweep)
    return of_study | {k: f for k, f in general.items() if not (of_study and k == "psnr")}


def _write_page(folder: Path, html: str) -> Path:
    page = folder / PAGE
    unfinished = folder / f".{PAGE}.part"
    unfinished.write_text(html, encoding="utf-8")
    os.replace(unfinished, page)
    return page


def _mirror(sweep: Sweep, written: Report) -> None:
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
    folder = written.page.parent
    log_report(
        folder / BESIDE,
        **settings,
        name=f"report: {sweep.study or 'sweep'} {folder.name}",
        group=groups.pop() if len(groups) == 1 else None,
        study=study.name if study else None,
        table=metrics_table(sweep),
        images=written.pictures,
        html=written.page,
        summary={"finding": finding.status, "text": finding.text} if finding else {},
    )
