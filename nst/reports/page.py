"""``report.html``: one page with everything of a report, its pictures embedded."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from nst.pictures.sheets import Head
from nst.reports.findings.studies import Study
from nst.reports.layout import Panel, note, originals, result
from nst.reports.measuring.differences import seed_groups
from nst.reports.own_files import GENERATOR
from nst.reports.sweeps import Missing, Sweep, run_command
from nst.reports.tables import cell_text, metrics, timing


def render(
    sweep: Sweep,
    study: Study | None,
    panels: Sequence[Panel],
    pictures: Mapping[str, bytes],
    table: pd.DataFrame,
    folder: Path,
) -> str:
    """The page's HTML.

    Args:
        sweep: what it shows
        study: that the sweep belongs to, if any
        panels: of the sweep
        pictures: the figures by name, as PNG
        table: from :func:`nst.reports.tables.metrics_table`
        folder: that the page will be in
    """
    environment = Environment(
        loader=PackageLoader("nst.reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    finding = study.judge(sweep) if study else None
    return environment.get_template("report.html").render(
        generator=GENERATOR,
        title=study.name.replace("_", " ") if study else _title(sweep),
        study=study,
        finding=finding,
        sweep=sweep,
        panels=[_page_panel(sweep, panel, folder) for panel in panels],
        figures={name: _embed(picture, "png") for name, picture in pictures.items()},
        differences=seed_groups(sweep),
        headings=_headings(sweep, table),
        lines=[_line(row) for row in table.drop(columns="command").itertuples(index=False)],
        timing=timing(sweep),
        missing=[_missing_line(missing) for missing in sweep.missing],
        total=len(sweep.runs) + len(sweep.missing),
        finished=max(sweep.runs["finished"]),
        commits=sorted({str(c)[:12] for c in sweep.runs["commit"] if c}),
    )


def _title(sweep: Sweep) -> str:
    return ", ".join(axis.label for axis in sweep.axes) or "one run"


def _missing_line(missing: Missing) -> dict[str, str]:
    return {"command": run_command(missing.overrides), "reason": missing.reason}


def _headings(sweep: Sweep, table: pd.DataFrame) -> list[str]:
    labels = {axis.key: axis.label for axis in sweep.axes} | metrics(sweep)
    return [labels[column] for column in table.columns if column != "command"]


def _line(row: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [{"text": cell_text(value), "sort": _sort_key(value)} for value in row]


def _sort_key(value: Any) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return "" if value is None else str(value)
    return "" if math.isnan(number) else number


def _page_panel(sweep: Sweep, panel: Panel, folder: Path) -> dict[str, Any]:
    """A panel as the template takes it; every picture once, embedded."""
    border = originals(sweep, panel)
    side = 512 if len(sweep.runs) <= 40 else 256
    rows = []
    for head, line in zip(border.rows, panel.cells, strict=True):
        cells = [None if i is None else _page_cell(sweep, i, side, folder) for i in line]
        rows.append({"head": _page_head(head), "cells": cells})
    return {
        "title": panel.title,
        "single": panel.rows is None,
        "corner": [_page_head(head) for head in border.corner],
        "columns": [_page_head(head) for head in border.columns],
        "rows": rows,
    }


def _page_head(head: Head) -> dict[str, str | None]:
    picture = None if head.picture is None else _embed(_jpeg(head.picture, 256), "jpeg")
    return {"label": head.label, "picture": picture}


def _page_cell(sweep: Sweep, index: int, side: int, folder: Path) -> dict[str, Any]:
    values = {heading: sweep.value(index, column) for column, heading in metrics(sweep).items()}
    parts = [f"{heading} {cell_text(v)}" for heading, v in values.items() if v is not None and v]
    return {
        "picture": _embed(_jpeg(result(sweep, index), side), "jpeg"),
        "label": sweep.label(index),
        "note": note(sweep, index),
        "metrics": " · ".join(parts),
        "command": run_command(sweep.value(index, "overrides")),
        "file": _link(sweep.folder(index) / "image.png", folder),
    }


def _link(file: Path, folder: Path) -> str | None:
    """A file as a page in the folder links it; None where it is elsewhere."""
    file, folder = file.resolve(), folder.resolve()
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else None


def _embed(data: bytes, subtype: str) -> str:
    """Bytes of a picture as a data URI."""
    return f"data:image/{subtype};base64,{base64.b64encode(data).decode()}"


def _jpeg(image: Image.Image, side: int) -> bytes:
    copy = image.copy()
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    copy.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
