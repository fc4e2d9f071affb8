"""A sweep's report: contact sheets, figures, the table, and one page that needs nothing else.

======================================  ========================================================
``report.html``                         the page; its pictures are embedded
``report/contact_sheet*.png``           pictures in rows and columns, originals on the border
``report/NAME.png``, ``NAME.pdf``       each figure, for a screen and for a paper
``report/runs.csv``                     the table, a row for each run
======================================  ========================================================

Everything is made from the run folders alone.
"""

from __future__ import annotations

import base64
import io
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image

from nst.pictures.sheets import Head, contact_sheet, grid
from nst.reports import figures
from nst.reports.sweeps import Axis, Missing, Sweep, run_command, short

METRICS = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "losses.total": "loss",
    "losses.content": "content loss",
    "losses.style": "style loss",
    "seconds_per_step": "s / step",
    "seconds": "seconds",
    "peak_memory_mb": "memory, MB",
    "restarts": "restarts",
}
"""Columns of the table after the axes: where record.json has them, and their headings."""

_MAX_PANELS = 12
_WRAP = 6


@dataclass(frozen=True)
class Finding:
    """What these runs say to a published finding.

    Attributes:
        status: reproduced, partly, not reproduced, or open (too little to say)
        text: with the numbers that say so
    """

    status: str
    text: str


@dataclass(frozen=True)
class Study:
    """What a study asks, and how its report answers.

    Attributes:
        name: as in ``study=NAME``
        question: in a sentence
        published: the finding in the literature
        rows, columns: keys of the axes to lay out; None: by the general rule
        judge: the runs → what they say
        figures: the runs → figures of its own, by name
    """

    name: str
    question: str
    published: str
    judge: Callable[[Sweep], Finding]
    rows: str | None = None
    columns: str | None = None
    figures: Callable[[Sweep], Mapping[str, Figure]] = field(default=lambda _: {})


@dataclass(frozen=True)
class Panel:
    """One contact sheet: rows and columns of run indices, None where a run is missing."""

    title: str
    rows: Axis | None
    columns: Axis | None
    cells: list[list[int | None]]


def write_report(sweep: Sweep, folder: Path, study: Study | None = None) -> Path:
    """Write the page, the sheets, the figures and the table below a folder.

    Returns:
        The page's path.
    """
    beside = folder / "report"
    beside.mkdir(parents=True, exist_ok=True)
    panels = lay_out(sweep, study)
    sheets = {}
    for number, panel in enumerate(panels):
        name = "contact_sheet" + (f"_{number + 1}" if len(panels) > 1 else "")
        sheets[name] = beside / f"{name}.png"
        panel_sheet(sweep, panel).save(sheets[name])
    own = study.figures(sweep) if study else {}
    drawn = {**own, **{k: v for k, v in general_figures(sweep).items() if not own or k != "psnr"}}
    for name, figure in drawn.items():
        for kind in ("png", "pdf"):
            figure.savefig(beside / f"{name}.{kind}", bbox_inches="tight", dpi=160)
    table = metrics_table(sweep)
    table.to_csv(beside / "runs.csv", index=False)
    page = folder / "report.html"
    pictures = {name: (beside / f"{name}.png").read_bytes() for name in drawn}
    page.write_text(render(sweep, study, panels, pictures, table, folder), encoding="utf-8")
    return page


# --- layout ------------------------------------------------------------------------------------


def lay_out(sweep: Sweep, study: Study | None = None) -> list[Panel]:
    """Axes on rows and columns: the study's, else content down and style across, else the two
    slowest; whatever else varied makes one panel for each combination.
    """
    axes = list(sweep.axes)
    rows = sweep.axis(study.rows) if study and study.rows else None
    columns = sweep.axis(study.columns) if study and study.columns else None
    rows = rows or (sweep.axis("content") if len(axes) > 1 else None)
    columns = columns or sweep.axis("style")
    free = [axis for axis in axes if axis not in (rows, columns)]
    if columns is None and free:
        columns = free.pop(0) if rows or len(free) == 1 else free.pop(1)
    if rows is None and free:
        rows = free.pop(0)
    panels = []
    for chosen in itertools.product(*(axis.values for axis in free)):
        where = dict(zip((axis.key for axis in free), chosen, strict=True))
        title = " · ".join(f"{a.label} {short(v)}" for a, v in zip(free, chosen, strict=True))
        cells = _cells(sweep, rows, columns, where)
        if any(index is not None for line in cells for index in line):
            panels.append(Panel(title, rows, columns, cells))
    return panels[:_MAX_PANELS]


def _cells(
    sweep: Sweep, rows: Axis | None, columns: Axis | None, where: Mapping[str, str]
) -> list[list[int | None]]:
    def find(**values: str) -> int | None:
        chosen = sweep.runs
        for key, value in {**where, **values}.items():
            chosen = chosen[chosen[key] == value]
        return None if chosen.empty else int(chosen.index[0])

    return [
        [
            find(
                **({rows.key: r} if rows and r is not None else {}),
                **({columns.key: c} if columns and c is not None else {}),
            )
            for c in (columns.values if columns else (None,))
        ]
        for r in (rows.values if rows else (None,))
    ]


def originals(sweep: Sweep, panel: Panel) -> dict[str, list[Head]]:
    """Heads of rows, columns and corner, with the originals where they belong."""
    found: dict[str, list[Head]] = {"rows": [], "columns": [], "corner": []}
    placed = set()
    transposed = [list(column) for column in zip(*panel.cells, strict=True)]
    for side, axis, lines in (
        ("rows", panel.rows, panel.cells),
        ("columns", panel.columns, transposed),
    ):
        for k, line in enumerate(lines):
            picture = None
            if axis and axis.key in ("content", "style"):
                placed.add(axis.key)
                picture = _original(sweep, axis.key, [i for i in line if i is not None])
            found[side].append(Head(axis.name(axis.values[k]) if axis else "", picture))
    everywhere = [i for line in panel.cells for i in line if i is not None]
    for kind in ("content", "style"):
        picture = None if kind in placed else _original(sweep, kind, everywhere)
        if picture is not None:
            found["corner"].append(Head(kind, picture))
    return found


def _original(sweep: Sweep, kind: str, indices: Sequence[int]) -> Image.Image | None:
    for index in indices:
        file = sweep.folder(index) / f"{kind}.png"
        if file.is_file():
            return _open(file)
    return None


def _open(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")


def result(sweep: Sweep, index: int) -> Image.Image:
    """The picture that one run made."""
    return _open(sweep.folder(index) / "image.png")


def panel_sheet(sweep: Sweep, panel: Panel) -> Image.Image:
    """A panel as one picture."""
    heads = originals(sweep, panel)
    cells = [[None if i is None else result(sweep, i) for i in line] for line in panel.cells]
    tallest = max(c.height for line in cells for c in line if c)
    count = sum(len(line) for line in cells)
    height = min(max(tallest, 160), 256) if count <= 36 else 128
    if panel.rows is None:  # one line: the originals first, wrapped
        line = [(h.label, h.picture) for h in heads["corner"] if h.picture is not None]
        line += [
            (_with_metric(sweep, head.label, index), image)
            for head, image, index in zip(heads["columns"], cells[0], panel.cells[0], strict=True)
            if image is not None
        ]
        per_row = _WRAP if len(line) > _WRAP else len(line)
        return grid([line[i : i + per_row] for i in range(0, len(line), per_row)], height)
    return contact_sheet(
        heads["rows"], heads["columns"], cells, corner=heads["corner"], height=height
    )


def _with_metric(sweep: Sweep, label: str, index: int | None) -> str:
    note = "" if index is None else _note(sweep, index)
    return f"{label}  {note}".rstrip()


def _note(sweep: Sweep, index: int) -> str:
    """PSNR of a reconstruction, which is meant to be its content."""
    value = sweep.value(index, "psnr")
    if value is None or sweep.value(index, "task") != "content":
        return ""
    return f"{value:.1f} dB"


# --- figures and numbers -----------------------------------------------------------------------


_COSTLY = ("init", "size", "backbone", "optimizer", "precision", "device", "sweep")
"""Axes that may change what a step costs."""


def general_figures(sweep: Sweep) -> dict[str, Figure]:
    """Loss curves; the metrics along what varied; differences between seeds."""
    drawn = {"loss_curves": figures.loss_curves(sweep)}
    numeric = [axis for axis in sweep.axes if axis.key != "seed"]
    numeric.sort(key=lambda axis: not axis.key.startswith(_COSTLY))
    metrics = {"psnr": "PSNR to the content, dB"} if _has(sweep, "psnr") else {}
    if any(axis.key.startswith(_COSTLY) for axis in numeric):
        metrics["seconds_per_step"] = "seconds per step"
    for column, label in metrics.items():
        if len(numeric) >= 2 and column == "psnr":
            pair = numeric[0], numeric[1]
            drawn["psnr_map"] = figures.metric_map(sweep, *pair, column, label)
        elif numeric:
            drawn[column] = figures.metric_along(sweep, numeric[0], column, label)
    for name, differences in seed_groups(sweep).items():
        drawn[name] = figures.difference_figure(differences)
    return drawn


def _has(sweep: Sweep, column: str) -> bool:
    return column in sweep.runs and bool(pd.to_numeric(sweep.runs[column]).notna().any())


def seed_groups(sweep: Sweep, limit: int = 6) -> dict[str, list[figures.Difference]]:
    """Differences between runs that differ in their seed alone, a list for each such group."""
    if sweep.axis("seed") is None:
        return {}
    others = [axis.key for axis in sweep.axes if axis.key != "seed"]
    groups = sweep.runs.groupby(others, sort=False) if others else [((), sweep.runs)]
    found = {}
    for key, runs in list(groups)[:limit]:
        if len(runs) < 2 or runs[["width", "height"]].drop_duplicates().shape[0] > 1:
            continue
        values = key if isinstance(key, tuple) else (key,)
        name = "_".join(["seed_difference", *(short(str(v)).replace(" ", "") for v in values)])
        folders = [Path(folder) for folder in runs["folder"]][:3]
        labels = [f"seed {seed}" for seed in runs["seed"]][:3]
        found[_safe(name)] = figures.seed_differences(folders, labels)
    return found


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "_-." else "-" for c in name)[:80]


def metrics_table(sweep: Sweep) -> pd.DataFrame:
    """Axes first, then the metrics that any run has, then the command that makes the run again."""
    keys = [axis.key for axis in sweep.axes]
    columns = [c for c in METRICS if _has(sweep, c) and (sweep.runs[c] != 0).any()]
    table = sweep.runs[keys + columns].copy()
    table["command"] = [run_command(overrides) for overrides in sweep.runs["overrides"]]
    return table


def timing(sweep: Sweep) -> dict[str, Any]:
    """Seconds per step and per run, median with the smallest and the largest; on what hardware."""
    runs = sweep.runs
    hardware = sorted(
        {
            f"{name} ({device}, {threads} threads)"
            for name, device, threads in zip(
                runs["device_name"], runs["device"], runs["threads"], strict=True
            )
        }
    )
    lines = []
    axis = next((a for a in sweep.axes if a.key != "seed"), None)
    groups = [("all runs", runs)] + (
        [] if axis is None or len(axis.values) > 24
        else [(f"{axis.label} {short(v)}", runs[runs[axis.key] == v]) for v in axis.values]
    )  # fmt: skip
    for name, group in groups:
        step, whole = (pd.to_numeric(group[c]) for c in ("seconds_per_step", "seconds"))
        lines.append(
            {
                "name": name,
                "count": len(group),
                "step": f"{step.median():.4f} ({step.min():.4f}–{step.max():.4f})",
                "whole": f"{whole.median():.1f} ({whole.min():.1f}–{whole.max():.1f})",
            }
        )
    return {"hardware": hardware, "lines": lines}


# --- the page ----------------------------------------------------------------------------------


def render(
    sweep: Sweep,
    study: Study | None,
    panels: Sequence[Panel],
    pictures: Mapping[str, bytes],
    table: pd.DataFrame,
    base: Path,
) -> str:
    """The page's HTML; ``pictures`` are the figures, as PNG."""
    environment = Environment(
        loader=PackageLoader("nst.reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    finding = study.judge(sweep) if study else None
    return environment.get_template("report.html").render(
        title=study.name.replace("_", " ") if study else _title(sweep),
        study=study,
        finding=finding,
        sweep=sweep,
        panels=[page_panel(sweep, panel, base) for panel in panels],
        figures={name: embed(picture, "png") for name, picture in pictures.items()},
        differences=seed_groups(sweep),
        headings=_headings(sweep, table),
        lines=[_cells_of(row) for row in table.drop(columns="command").itertuples(index=False)],
        timing=timing(sweep),
        missing=[_missing_line(m) for m in sweep.missing],
        total=len(sweep.runs) + len(sweep.missing),
        finished=max(sweep.runs["finished"]),
        commits=sorted({str(c)[:12] for c in sweep.runs["commit"] if c}),
    )


def _title(sweep: Sweep) -> str:
    return ", ".join(axis.label for axis in sweep.axes) or "one run"


def _missing_line(missing: Missing) -> dict[str, str]:
    return {"command": run_command(missing.overrides), "reason": missing.reason}


def _headings(sweep: Sweep, table: pd.DataFrame) -> list[str]:
    labels = {axis.key: axis.label for axis in sweep.axes} | METRICS
    return [labels[column] for column in table.columns if column != "command"]


def _cells_of(row: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [{"text": _text(value), "sort": _sort_key(value)} for value in row]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return short(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _sort_key(value: Any) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return "" if value is None else str(value)
    return "" if math.isnan(number) else number


def page_panel(sweep: Sweep, panel: Panel, base: Path) -> dict[str, Any]:
    """A panel as the template takes it; every picture once, embedded."""
    heads = originals(sweep, panel)
    side = 512 if len(sweep.runs) <= 40 else 256
    return {
        "title": panel.title,
        "rows_label": panel.rows.label if panel.rows else "",
        "columns_label": panel.columns.label if panel.columns else "",
        "single": panel.rows is None,
        "corner": [_page_head(head) for head in heads["corner"]],
        "columns": [_page_head(head) for head in heads["columns"]],
        "rows": [
            {
                "head": _page_head(head),
                "cells": [
                    None if i is None else _page_cell(sweep, i, side, base) for i in line
                ],
            }
            for head, line in zip(heads["rows"], panel.cells, strict=True)
        ],
    }  # fmt: skip


def _page_head(head: Head) -> dict[str, str | None]:
    picture = None if head.picture is None else embed(_jpeg(head.picture, 256), "jpeg")
    return {"label": head.label, "picture": picture}


def _page_cell(sweep: Sweep, index: int, side: int, base: Path) -> dict[str, Any]:
    values = {heading: sweep.value(index, c) for c, heading in METRICS.items() if c != "restarts"}
    metrics = [
        f"{heading} {_text(value)}" for heading, value in values.items() if value is not None
    ]
    folder = sweep.folder(index)
    inside = folder.resolve().is_relative_to(base.resolve())
    return {
        "picture": embed(_jpeg(result(sweep, index), side), "jpeg"),
        "label": sweep.label(index),
        "note": _note(sweep, index),
        "metrics": " · ".join(metrics),
        "command": run_command(sweep.value(index, "overrides")),
        "file": (folder.resolve().relative_to(base.resolve()) / "image.png").as_posix()
        if inside
        else None,
    }


def embed(data: bytes, kind: str) -> str:
    """Bytes of a picture as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _jpeg(image: Image.Image, side: int) -> bytes:
    copy = image.copy()
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    copy.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def sheets_of(page: Path) -> Iterator[Path]:
    """The pictures beside a report, contact sheets first."""
    found = sorted((page.parent / "report").glob("*.png"))
    yield from sorted(found, key=lambda file: not file.name.startswith("contact_sheet"))
