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

In the tables a text that a spreadsheet would take for a formula has an apostrophe in front. What
runs are called is text wherever it stands: on the page, in LaTeX, in Markdown and in figures.

Everything is made from the run folders alone, and no file of somebody else is replaced
(:mod:`nst.reports.own_files`). Where a report fails, a page of an earlier one says so at its head.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd

from nst.config import ReportConfig
from nst.reports.drawing.figures import general_figures
from nst.reports.drawing.style import Drawing, save_figure
from nst.reports.findings.claims import Study
from nst.reports.findings.judging import StudyFinding, judge
from nst.reports.findings.studies import find_study
from nst.reports.layout import MAX_PANELS, Layout, Panel, lay_out
from nst.reports.measuring.per_run import judge_of, measured
from nst.reports.own_files import BESIDE, PAGE, check_report_place, mark_outdated, replacing
from nst.reports.page import Contents, ShownFigure, render
from nst.reports.panels import panel_figures, panel_sheet, save_pages
from nst.reports.settings import report_settings, with_settings
from nst.reports.sweeps import Sweep, load_sweep
from nst.reports.tables import metrics_table, summary_table
from nst.reports.tracking import log_report
from nst.reports.wording.captions import caption, captions_page, setting, sheet_caption
from nst.reports.wording.latex import latex_table

_SINGLE = ("psnr", "seconds_per_step")
"""General figures of one measure, which a study that draws figures of its own has among them."""


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
        sweep: measured
        study, finding: that it belongs to and what it says to it; None in a free sweep
        judge: who measured style and content, in a sentence
    """

    page: Path
    pictures: dict[str, Path]
    captions: dict[str, str]
    sweep: Sweep
    study: Study | None
    finding: StudyFinding | None
    judge: str


def report(
    folders: Sequence[Path], output: Path | None = None, choices: Choices | None = None
) -> Path:
    """As :func:`full_report`; returns the page alone."""
    return full_report(folders, output, choices).page


def full_report(
    folders: Sequence[Path], output: Path | None = None, choices: Choices | None = None
) -> Report:
    """Write the report of one folder or several.

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
        return write_report(sweep, folder, find_study(sweep.study), settings, choices.panels)
    except Exception as error:
        mark_outdated(folder, str(error) or type(error).__name__)
        raise


def write_report(
    sweep: Sweep,
    folder: Path,
    study: Study | None = None,
    settings: ReportConfig | None = None,
    panels: int = MAX_PANELS,
) -> Report:
    """Measure the runs, hold them against the study's claims, and write everything below a folder.

    What an earlier report wrote there and this one does not is removed. An earlier report stays
    whole until this one is, whatever goes wrong on the way.

    Args:
        sweep: as it was read
        folder: of the report
        study: that the sweep belongs to
        settings: None: the defaults
        panels: most contact sheets

    Raises:
        InputError: a file in the way that no report wrote, a judge that cannot be had, or a disk
            that is full or may not be written to.
    """
    composed = compose(sweep, study, settings, panels)
    save = composed.writers()
    check_report_place(folder, save)
    with replacing(folder) as staged:
        beside = staged / BESIDE
        for name, write in save.items():
            write(beside / name)
        html = composed.page(folder, lambda name: (beside / f"{name}.png").read_bytes())
        _save_text(staged / PAGE, html)
    page = folder / PAGE
    pictures = {name: folder / BESIDE / f"{name}.png" for name in composed.shown}
    captions = {name: str(figure.caption) for name, figure in composed.shown.items()}
    written = Report(
        page, pictures, captions, composed.sweep, study, composed.finding, composed.judge
    )
    _mirror(written)
    return written


def compose(
    sweep: Sweep,
    study: Study | None = None,
    settings: ReportConfig | None = None,
    panels: int = MAX_PANELS,
) -> Composed:
    """Measure the runs, hold them against the claims, lay out and draw; writes nothing.

    Raises:
        InputError: a judge that cannot be had.
    """
    settings = settings or ReportConfig()
    network = judge_of(sweep, settings.judge, settings.judge_weights)
    sweep = measured(with_settings(sweep, settings), network)
    return Composed(
        sweep,
        study,
        judge(study, sweep) if study else None,
        lay_out(sweep, study, panels),
        _draw(sweep, study, settings.figure_width),
        network.sentence,
    )


def _draw(sweep: Sweep, study: Study | None, width: float) -> dict[str, Drawing]:
    """The study's own figures, and the general ones that it does not replace."""
    of_study = dict(study.figures(sweep, width)) if study else {}
    general = general_figures(sweep, width)
    replaced = _SINGLE if of_study else ()
    return of_study | {name: f for name, f in general.items() if name not in replaced}


@dataclass(frozen=True)
class Composed:
    """A report before it is written.

    Attributes:
        sweep: measured
        study, finding: that it belongs to and what it says to it, if any
        layout: of the pictures
        drawings: the figures by name
        judge: who measured style and content, in a sentence
    """

    sweep: Sweep
    study: Study | None
    finding: StudyFinding | None
    layout: Layout
    drawings: Mapping[str, Drawing]
    judge: str

    @cached_property
    def sheets(self) -> dict[str, Panel]:
        """The panels by the names of their files."""
        panels = self.layout.panels
        names = [f"contact_sheet_{i + 1}" for i in range(len(panels))]
        return dict(zip(names if len(panels) > 1 else ["contact_sheet"], panels, strict=True))

    @cached_property
    def shown(self) -> dict[str, ShownFigure]:
        """Sheets and figures by name, numbered, each with its caption and its files."""
        drawn = {name: sheet_caption(self.layout, panel) for name, panel in self.sheets.items()}
        drawn |= {name: drawing.caption for name, drawing in self.drawings.items()}
        return {
            name: self._shown(name, number, text)
            for number, (name, text) in enumerate(drawn.items(), start=1)
        }

    def _shown(self, name: str, number: int, text: str) -> ShownFigure:
        is_sheet = name in self.sheets
        return ShownFigure(
            f"Figure {number}",
            caption(self.sweep, self.study, text),
            [f"{name}.{suffix}" for suffix in (_OF_SHEET if is_sheet else _OF_FIGURE)],
            inches=0.0 if is_sheet else float(self.drawings[name].figure.get_size_inches()[0]),
        )

    def page(self, folder: Path, png: Callable[[str], bytes]) -> str:
        """The page's HTML.

        Args:
            folder: that the page will be in
            png: the name of a figure → its PNG
        """
        figures = [replace(self.shown[name], png=png(name)) for name in self.drawings]
        return render(
            Contents(
                self.sweep, self.study, self.finding, self.layout,
                [self.shown[name] for name in self.sheets], figures,
                setting(self.sweep), self.judge, folder,
            )
        )  # fmt: skip

    def writers(self) -> dict[str, Callable[[Path], object]]:
        """{file in ``report/``: what writes it}."""
        writers: dict[str, Callable[[Path], object]] = {}
        for name, panel in self.sheets.items():
            writers[f"{name}.png"] = partial(_save_sheet, sweep=self.sweep, panel=panel)
            writers[f"{name}.pdf"] = partial(_save_print, sweep=self.sweep, panel=panel)
        for name, drawing in self.drawings.items():
            for file in self.shown[name].files:
                writers[file] = partial(save_figure, drawing.figure)
        return writers | {
            "runs.csv": partial(_save_table, table=metrics_table(self.sweep)),
            "summary.csv": partial(_save_table, table=summary_table(self.sweep)),
            "table.tex": partial(_save_text, text=self.latex()),
            "captions.md": partial(_save_text, text=captions_page(self._captions())),
        }

    def latex(self) -> str:
        """``table.tex``."""
        return latex_table(self.sweep, str(caption(self.sweep, self.study, "")))

    def _captions(self) -> Iterator[tuple[str, list[str], str, str]]:
        """(name, endings of the files, title, text) of each sheet and figure."""
        for name, figure in self.shown.items():
            ends = [Path(file).suffix for file in figure.files]
            yield name, ends, figure.title, str(figure.caption)


_OF_SHEET, _OF_FIGURE = ("pdf", "png"), ("pdf", "svg", "png")


def _save_sheet(file: Path, sweep: Sweep, panel: Panel) -> None:
    panel_sheet(sweep, panel).save(file)


def _save_print(file: Path, sweep: Sweep, panel: Panel) -> None:
    save_pages(panel_figures(sweep, panel), file)


def _save_text(file: Path, text: str) -> None:
    file.write_bytes(text.encode(errors="replace"))


def _save_table(file: Path, table: pd.DataFrame) -> None:
    """CSV in UTF-8 that is safe to open in a spreadsheet: see :func:`no_formula`."""
    named = table.rename(columns=no_formula).map(no_formula)
    _save_text(file, named.to_csv(index=False))


def no_formula(cell: Any) -> Any:
    """A cell of a CSV; text that a spreadsheet would calculate begins with an apostrophe.

    >>> no_formula("=HYPERLINK(A1)"), no_formula("-1e-3"), no_formula("gram"), no_formula(2.5)
    ("'=HYPERLINK(A1)", '-1e-3', 'gram', 2.5)
    """
    if not isinstance(cell, str) or cell.lstrip()[:1] not in tuple("=+-@|%"):
        return cell
    with contextlib.suppress(ValueError):
        float(cell)
        return cell
    return f"'{cell}"


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


def _mirror(written: Report) -> None:
    """The report as a W&B run of its own, where its runs were logged there, and as they were."""
    sweep, study = written.sweep, written.study
    logged = [i for i in sweep.runs.index if sweep.value(i, "config.logger.name") == "wandb"]
    if not logged:
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
