"""The report of sweeps by their folders: read back, measured, judged, written, mirrored to W&B.

========================================  ======================================================
``report.html``                           the page; its pictures are embedded
``report/contact_sheet*.png``, ``.pdf``   pictures in rows and columns, originals on the border
``report/NAME.png``, ``.pdf``, ``.svg``   each figure, for a screen and for a paper
``report/captions.md``                    what stands below each of them
``report/runs.csv``                       a row for each run
``report/summary.csv``                    a row for runs that differ in their seed alone
``report/table.tex``                      the main columns of the latter, for a paper
``report/.nst-report``                    the mark: which of these files are the report's
========================================  ======================================================

Everything is made from the run folders alone, and no file of somebody else is replaced
(:mod:`nst.reports.own_files`). Where a report fails, a page of an earlier one says so at its head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from nst.config import ReportConfig
from nst.reports.drawing.figures import general_figures
from nst.reports.drawing.style import Drawing, save_figure
from nst.reports.findings.claims import Study
from nst.reports.findings.judging import StudyFinding, judge
from nst.reports.findings.studies import find_study
from nst.reports.layout import MAX_PANELS, Layout, lay_out, panel_sheet
from nst.reports.measuring.per_run import judge_of, measured
from nst.reports.own_files import BESIDE, OwnFiles, check_report_place, mark_outdated, write_page
from nst.reports.page import Contents, ShownFigure, render
from nst.reports.settings import report_settings, with_settings
from nst.reports.sweeps import Sweep, load_sweep
from nst.reports.tables import metrics_table, summary_table
from nst.reports.tracking import log_report
from nst.reports.wording.captions import caption, captions_page, setting, sheet_caption
from nst.reports.wording.latex import latex_table

_Writers = dict[str, Callable[[Path], object]]


@dataclass(frozen=True)
class Choices:
    """What whoever asks for a report chooses; None: as the runs' configs say.

    Attributes:
        figure_width, judge, judge_weights: as the keys below ``report``
        panels: at most so many contact sheets
    """

    figure_width: float | None = None
    judge: str | None = None
    judge_weights: str | None = None
    panels: int = MAX_PANELS


@dataclass(frozen=True)
class Report:
    """A report on disk.

    Attributes:
        page: its page
        pictures: {name: PNG} in ``report/``, contact sheets first
        captions: {name: what stands below it}
        finding: what the runs say to their study's claims; None in a free sweep
    """

    page: Path
    pictures: dict[str, Path]
    captions: dict[str, str]
    finding: StudyFinding | None


def report(
    folders: Sequence[Path], output: Path | None = None, choices: Choices | None = None
) -> Path:
    """Write the report of one folder or several; returns the page.

    Args:
        folders: of sweeps
        output: where to write; by default into the folder, of several into ``outputs/report``
        choices: what differs from what the runs' configs say

    Raises:
        InputError: nothing to report, a choice that cannot be, or a file in the way that no report
            wrote.
    """
    choices = choices or Choices()
    default = folders[0] if len(folders) == 1 else Path("outputs") / "report"
    folder = output or default
    try:
        sweep = load_sweep(folders)
        settings = report_settings(
            sweep, choices.figure_width, choices.judge, choices.judge_weights
        )
        written = write_report(sweep, folder, find_study(sweep.study), settings, choices.panels)
    except Exception as error:
        mark_outdated(folder, str(error) or type(error).__name__)
        raise
    return written.page


def write_report(
    sweep: Sweep,
    folder: Path,
    study: Study | None = None,
    settings: ReportConfig | None = None,
    panels: int = MAX_PANELS,
) -> Report:
    """Measure the runs, hold them against the study's claims, and write everything below a folder.

    What an earlier report wrote there and this one does not is removed.

    Args:
        sweep: as it was read
        folder: of the report
        study: that the sweep belongs to
        settings: None: the defaults
        panels: most contact sheets

    Raises:
        InputError: a file in the way that no report wrote, or a judge that cannot be had.
    """
    settings = settings or ReportConfig()
    network = judge_of(sweep, settings.judge, settings.judge_weights)
    sweep = measured(with_settings(sweep, settings), network)
    finding = judge(study, sweep) if study else None
    layout = lay_out(sweep, study, panels)
    drawings = _draw(sweep, study, settings.figure_width)
    shown = _Shown(sweep, study, layout, drawings)
    save = shown.writers() | _tables(sweep, study)
    save["captions.md"] = partial(_write_text, text=captions_page(shown.captions()))
    check_report_place(folder, save)
    files = OwnFiles(folder / BESIDE)
    files.remove(name for name in files.names() if name not in save and "/" not in name)
    for name, write in save.items():
        with files.replacing(name) as file:
            write(file)
    embedded = [
        replace(figure, png=(files.folder / f"{name}.png").read_bytes())
        for name, figure in shown.figures.items()
    ]
    contents = Contents(
        sweep, study, finding, layout, list(shown.sheets.values()), embedded,
        setting(sweep), network.sentence, folder,
    )  # fmt: skip
    page = write_page(folder, render(contents))
    written = Report(
        page,
        {name: files.folder / f"{name}.png" for name in shown.everything},
        {name: str(figure.caption) for name, figure in shown.everything.items()},
        finding,
    )
    _mirror(sweep, study, written)
    return written


class _Shown:
    """The sheets and figures of a report: numbered, with captions, and how each file is written."""

    def __init__(
        self, sweep: Sweep, study: Study | None, layout: Layout, drawings: Mapping[str, Drawing]
    ):
        self._sweep, self._layout, self._drawings = sweep, layout, drawings
        count = len(layout.panels)
        self.sheets = {
            (name := _sheet_name(i, count)): ShownFigure(
                f"Figure {i + 1}",
                caption(sweep, study, sheet_caption(layout, panel)),
                [f"{name}.{suffix}" for suffix in ("pdf", "png")],
            )
            for i, panel in enumerate(layout.panels)
        }
        self.figures = {
            name: ShownFigure(
                f"Figure {count + i + 1}",
                caption(sweep, study, drawing.caption),
                [f"{name}.{suffix}" for suffix in ("pdf", "svg", "png")],
                inches=float(drawing.figure.get_size_inches()[0]),
            )
            for i, (name, drawing) in enumerate(drawings.items())
        }
        self.everything = {**self.sheets, **self.figures}

    def captions(self) -> Iterator[tuple[str, list[str], str, str]]:
        """(name, endings of the files, title, text) of each."""
        for name, figure in self.everything.items():
            ends = [Path(file).suffix for file in figure.files]
            yield name, ends, figure.title, str(figure.caption)

    def writers(self) -> _Writers:
        """{file: what writes it}."""
        writers: _Writers = {}
        for name, panel in zip(self.sheets, self._layout.panels, strict=True):
            sheet = panel_sheet(self._sweep, panel)
            writers |= {f"{name}.png": sheet.save, f"{name}.pdf": sheet.save}
        for name, drawing in self._drawings.items():
            for file in self.figures[name].files:
                writers[file] = partial(save_figure, drawing.figure)
        return writers


def _sheet_name(number: int, count: int) -> str:
    return "contact_sheet" + (f"_{number + 1}" if count > 1 else "")


def _draw(sweep: Sweep, study: Study | None, width: float) -> dict[str, Drawing]:
    """The study's own figures, and the general ones that it does not replace."""
    of_study = dict(study.figures(sweep, width)) if study else {}
    general = general_figures(sweep, width)
    return of_study | {k: f for k, f in general.items() if not (of_study and k == "psnr")}


def _tables(sweep: Sweep, study: Study | None) -> _Writers:
    """The tables of numbers."""
    latex = latex_table(sweep, str(caption(sweep, study, "")))
    return {
        "runs.csv": partial(metrics_table(sweep).to_csv, index=False),
        "summary.csv": partial(summary_table(sweep).to_csv, index=False),
        "table.tex": partial(_write_text, text=latex),
    }


def _write_text(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def claims_table(finding: StudyFinding) -> pd.DataFrame:
    """A row for each claim, and for each panel where there are several."""
    rows = []
    for found in finding.claims:
        several = found.panels if len(found.panels) > 1 else ()
        for panel, answer in (("", found.together), *several):
            rows.append(
                {
                    "claim": found.claim.name,
                    "panel": panel,
                    "verdict": str(answer.verdict),
                    "value": answer.value,
                    "spread": answer.spread,
                    "unit": answer.unit,
                    "text": answer.text,
                    "sentence": found.claim.sentence,
                }
            )
    return pd.DataFrame(rows)


def _mirror(sweep: Sweep, study: Study | None, written: Report) -> None:
    """The report as a W&B run of its own, where its runs were logged there, and as they were."""
    logged = sweep.runs.index[sweep.runs["config.logger.name"] == "wandb"]
    if logged.empty:
        return
    settings = {
        key: sweep.value(logged[-1], f"config.logger.{key}")
        for key in ("mode", "project", "entity")
    }
    sweep_groups = set(sweep.runs.get("group", ()))
    finding, folder = written.finding, written.page.parent
    tables = {"runs": metrics_table(sweep), "summary": summary_table(sweep)}
    verdicts: dict[str, object] = {}
    if finding:
        tables["claims"] = claims_table(finding)
        verdicts["verdict"] = str(finding.verdict)
        verdicts |= {f"claims/{c.claim.name}": str(c.together.verdict) for c in finding.claims}
    log_report(
        folder / BESIDE,
        **settings,
        name=f"report: {sweep.study or 'sweep'} {folder.name}",
        group=sweep_groups.pop() if len(sweep_groups) == 1 else None,
        study=study.name if study else None,
        tables=tables,
        images=written.pictures,
        captions=written.captions,
        html=written.page,
        summary=verdicts,
    )
