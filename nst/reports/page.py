"""``report.html``: one page with everything of a report, its pictures embedded."""

from __future__ import annotations

import base64
import io
import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from PIL import Image

from nst.pictures.sheets import Head
from nst.reports.findings.claims import Study, Verdict
from nst.reports.findings.judging import StudyFinding
from nst.reports.layout import Layout, Panel, another_size, note, originals, result
from nst.reports.measuring.quantities import quantity
from nst.reports.measuring.trust import MARKS
from nst.reports.own_files import BESIDE, GENERATOR
from nst.reports.sweeps import Axis, Sweep, run_command
from nst.reports.tables import (
    SideBySide,
    axes_of_groups,
    cell_text,
    compare,
    groups,
    metrics_table,
    timing,
    told_columns,
    warnings_of,
)
from nst.reports.wording.captions import Caption
from nst.reports.wording.labels import labels
from nst.reports.wording.words import Words

_MOST_REASONS = 5  # why runs are missing, at the head of the page
_MANY_RUNS = 60  # more are embedded smaller
_LONG = 10  # letters of a word that may be broken
_SIDE, _SIDE_OF_MANY = 512, 256  # pixels
_SIGNS = {
    Verdict.reproduced: "✓",
    Verdict.partly: "◐",
    Verdict.not_reproduced: "✗",
    Verdict.cannot_say: "?",
}


@dataclass(frozen=True)
class ShownFigure:
    """A contact sheet or a figure as the page shows it.

    Attributes:
        title: ``Figure 2``
        caption: below it
        files: in ``report/``
        png: of a figure; None of a contact sheet, whose pictures the page shows one by one
        inches: its width in print
    """

    title: str
    caption: Caption
    files: Sequence[str]
    png: bytes | None = None
    inches: float = 0.0

    @property
    def picture(self) -> str:
        """As a data URI."""
        return _embed(self.png or b"", "png")

    @property
    def links(self) -> list[tuple[str, str]]:
        """(PDF, its path from the page) for each file."""
        return [(Path(name).suffix[1:].upper(), f"{BESIDE}/{name}") for name in self.files]


@dataclass(frozen=True)
class Contents:
    """What a page shows.

    Attributes:
        sweep: measured
        study, finding: that the sweep belongs to and what it says to it, if any
        layout: of the pictures
        sheets: one for each panel
        figures: in their order
        setting: of the runs, in a sentence
        judge: who measured style and content, in a sentence
        folder: that the page will be in
    """

    sweep: Sweep
    study: Study | None
    finding: StudyFinding | None
    layout: Layout
    sheets: Sequence[ShownFigure]
    figures: Sequence[ShownFigure]
    setting: str
    judge: str
    folder: Path


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("nst.reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "words": _marked, "breakable": _breakable, "moment": _moment,
    }  # fmt: skip
    return environment


@pass_context
def _marked(context: Context, text: object) -> Markup:
    """A text whose words are linked to their explanations."""
    words: Words = context["words"]
    return words.mark(text)


def render(contents: Contents) -> str:
    """The page's HTML."""
    sweep = contents.sweep
    return (
        _environment()
        .get_template("report.html")
        .render(
            generator=GENERATOR,
            title=contents.study.name.replace("_", " ") if contents.study else _title(sweep),
            contents=contents,
            sweep=sweep,
            signs=_SIGNS,
            tally=_tally(contents.finding),
            panels=_panels(contents),
            hidden=contents.layout.total - len(contents.layout.panels),
            more=_more(contents),
            means=_means(sweep),
            compared=_compared(compare(sweep)),
            differences=_differences(sweep),
            every=_every_run(sweep),
            timing=timing(sweep),
            doubted=_doubted(sweep),
            missing=sweep.missing,
            reasons=Counter(missing.reason for missing in sweep.missing).most_common(_MOST_REASONS),
            total=len(sweep.runs) + len(sweep.missing),
            finished=max(sweep.values("finished"), default=""),
            commits=sorted({commit[:12] for commit in sweep.values("commit") if commit}),
            words=Words(),
        )
    )


def _title(sweep: Sweep) -> str:
    return ", ".join(axis.label for axis in sweep.axes) or "one run"


def _breakable(text: str) -> Markup:
    """A label whose long words may break behind an underscore or a slash."""
    words = (
        re.sub("([_/])", r"\1<wbr>", str(escape(word))) if len(word) > _LONG else escape(word)
        for word in text.split(" ")
    )
    return Markup(" ").join(map(Markup, words))


def _moment(time: str) -> str:
    """An ISO 8601 time of UTC to the minute."""
    return f"{time[:16].replace('T', ' ')} UTC" if time.endswith("+00:00") else time


def _tally(finding: StudyFinding | None) -> str:
    """How many claims have which verdict, in words."""
    counts = Counter(claim.together.verdict for claim in finding.claims) if finding else Counter()
    parts = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    total = counts.total()
    return f"of {total} claim{'s' * (total != 1)}: {', '.join(parts)}" if parts else "no claims"


def _more(contents: Contents) -> str:
    """The command that shows every panel."""
    folders = " ".join(shlex.quote(str(folder)) for folder in contents.sweep.folders)
    return f"python -m experiments.report {folders} --panels {contents.layout.total}"


def _doubted(sweep: Sweep) -> list[dict[str, Any]]:
    """Runs with a problem or a warning, and what it says."""
    said = {index: _said_against(sweep, index) for index in sweep.runs.index}
    return [{"label": sweep.label(index), "said": each} for index, each in said.items() if each]


def _said_against(sweep: Sweep, index: int) -> list[str]:
    """What a run warned of itself, then what the report finds wrong with it."""
    picture, problem = result(sweep, index), sweep.value(index, "problem")
    size = None if picture is None else another_size(sweep, index, picture)
    return [*warnings_of(sweep, index), *filter(None, (problem, size))]


# --- pictures -------------------------------------------------------------------------------------


def _panels(contents: Contents) -> list[dict[str, Any]]:
    """Each panel with its sheet's caption; a wide one in blocks below each other."""
    sweep, folder = contents.sweep, contents.folder
    pairs = zip(contents.layout.panels, contents.sheets, strict=True)
    return [
        {
            "title": panel.title,
            "sheet": sheet,
            "blocks": [_block(sweep, block, folder) for block in _blocks(panel)],
        }
        for panel, sheet in pairs
    ]


def _blocks(panel: Panel) -> list[Panel]:
    return [panel] if panel.is_single else panel.blocks()  # one line wraps by itself


def _block(sweep: Sweep, block: Panel, folder: Path) -> dict[str, Any]:
    """A block as the template takes it; every picture once, embedded."""
    border = originals(sweep, block)
    side = _SIDE if len(sweep.runs) <= _MANY_RUNS else _SIDE_OF_MANY
    told = {column: quantity(column).label for column in told_columns(sweep)}
    rows = []
    for head, line in zip(border.rows, block.cells, strict=True):
        cells = [None if i is None else _page_cell(sweep, i, side, folder, told) for i in line]
        rows.append({"head": _page_head(head), "cells": cells})
    widths = [sweep.value(i, "width") or 0 for line in block.cells for i in line if i is not None]
    return {
        "single": block.is_single,
        "native": int(min(max(widths, default=0), side)),
        "corner": [_page_head(head) for head in border.corner],
        "columns": [_page_head(head) for head in border.columns],
        "rows": rows,
    }


def _page_head(head: Head) -> dict[str, str | None]:
    picture = None if head.picture is None else _embed(_jpeg(head.picture, 256), "jpeg")
    return {"label": head.label, "picture": picture}


def _page_cell(
    sweep: Sweep, index: int, side: int, folder: Path, told: Mapping[str, str]
) -> dict[str, Any]:
    values = {heading: sweep.value(index, column) for column, heading in told.items()}
    parts = [f"{heading} {cell_text(v)}" for heading, v in values.items() if v is not None]
    picture = result(sweep, index)
    return {
        "picture": None if picture is None else _embed(_jpeg(picture, side), "jpeg"),
        "gap": sweep.value(index, "not_a_picture") or "no picture",
        "label": sweep.label(index),
        "note": note(sweep, index),
        "problem": "; ".join(_said_against(sweep, index)),
        "mark": _mark(sweep, index),
        "metrics": " · ".join(parts),
        "command": run_command(sweep.value(index, "overrides")),
        "file": _link(sweep.folder(index) / "image.png", folder),
    }


def _mark(sweep: Sweep, index: int) -> str:
    """In two words what is wrong with a run."""
    marks = [text for key, text in MARKS.items() if sweep.value(index, key)]
    return ", ".join(marks) or ("warned" if warnings_of(sweep, index) else "doubtful")


def _link(file: Path, folder: Path) -> str | None:
    """The address of a file for a page in the folder; None where it is elsewhere."""
    file, folder = file.resolve(), folder.resolve()
    return quote(file.relative_to(folder).as_posix()) if file.is_relative_to(folder) else None


def _embed(data: bytes, subtype: str) -> str:
    """Bytes of a picture as a data URI."""
    return f"data:image/{subtype};base64,{base64.b64encode(data).decode()}"


def _jpeg(image: Image.Image, side: int) -> bytes:
    copy = image.copy()
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    copy.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


# --- tables ---------------------------------------------------------------------------------------


def _cell(value: Any, text: str | None = None, axis: Axis | None = None) -> dict[str, Any]:
    """A cell: what it says, and by what a table is sorted."""
    said = cell_text(value, axis) if text is None else text
    return {"text": said, "sort": _sort_key(value), "warnings": []}


def _sort_key(value: Any) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return "" if value is None else str(value)
    return "" if math.isnan(number) else number


def _every_run(sweep: Sweep) -> dict[str, Any]:
    """A line for each run; its warnings behind the axes, where any run has some."""
    table = metrics_table(sweep).drop(columns=["command", "problem", "warnings"], errors="ignore")
    axes = [sweep.axis(str(column)) for column in table]
    headings = [
        axis.label if axis else quantity(str(column)).label
        for axis, column in zip(axes, table, strict=True)
    ]
    lines = [
        [_cell(value, axis=axis) for value, axis in zip(row, axes, strict=True)]
        for row in table.itertuples(index=False)
    ]
    warned = [warnings_of(sweep, index) for index in sweep.runs.index]
    if any(warned):
        place = len(sweep.axes)
        headings.insert(place, "warnings")
        for line, each in zip(lines, warned, strict=True):
            line.insert(place, {"warnings": each, "sort": len(each), "text": "–"})
    return {"headings": headings, "lines": lines}


def _means(sweep: Sweep) -> dict[str, Any] | None:
    """A line for each group of seeds; None where no two runs differ in their seed alone."""
    rows = groups(sweep)
    if all(row.count == 1 for row in rows):
        return None
    columns = told_columns(sweep)
    axes = axes_of_groups(sweep)
    heads = [axis.label for axis in axes]
    return {
        "headings": [*heads, "n", *(quantity(column).label for column in columns)],
        "lines": [
            [
                *_axis_cells(axes, row.values),
                _cell(row.count),
                *(_cell(row.numbers[c].mean, str(row.numbers[c])) for c in columns),
            ]
            for row in rows
        ],
    }


def _axis_cells(axes: Sequence[Axis], values: Sequence[str]) -> list[dict[str, Any]]:
    """A cell for the value of each axis."""
    return [_cell(value, axis=axis) for axis, value in zip(axes, values, strict=True)]


def _compared(comparison: SideBySide | None) -> dict[str, Any] | None:
    """Each metric of each sweep, cell by cell, and the differences to the first sweep."""
    if comparison is None:
        return None
    first, *others = comparison.sweeps
    columns = list(comparison.cells[0].numbers)
    differences = [f"{other} − {first}" for other in others] if len(others) > 1 else ["difference"]
    lines = []
    for cell in comparison.cells:
        line = _axis_cells(comparison.axes, cell.values)
        for column in columns:
            numbers = cell.numbers[column]
            line += [_cell(number) for number in numbers]
            line += [_difference(numbers[0], number) for number in numbers[1:]]
        lines.append(line)
    return {
        "axes": [axis.label for axis in comparison.axes],
        "metrics": [quantity(column).label for column in columns],
        "names": [first, *others, *differences],
        "lines": lines,
    }


def _differences(sweep: Sweep) -> dict[str, dict[str, str]]:
    """{sweep: {key: the label of what it has throughout, and another has not}}."""
    keys = dict.fromkeys(key for values in sweep.differences.values() for key in values)
    told = {key: labels([values[key] for values in sweep.differences.values()]) for key in keys}
    return {
        name: {key: told[key][value] for key, value in values.items()}
        for name, values in sweep.differences.items()
    }


def _difference(first: float | None, second: float | None) -> dict[str, Any]:
    if first is None or second is None:
        return _cell(None)
    return _cell(second - first, f"{second - first:+.3g}")
