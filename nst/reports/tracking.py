"""A report as a W&B run of its own, beside the runs that it reports on.

A failure of W&B costs its own log and nothing else, with a warning.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from nst.reports.own_files import OwnFiles
from nst.runs.recording.labels import short_name, study_tags
from nst.runs.recording.tracking import Mode, Once, open_run

if TYPE_CHECKING:
    import pandas as pd

FINISH_SECONDS = 30.0
"""How long the end may wait for uploads, all of which begin there; WANDB_FINISH_TIMEOUT replaces
it."""

_WANDB = "wandb"  # the folder that W&B writes into


def log_report(
    folder: Path,
    *,
    mode: Mode,
    project: str,
    name: str,
    tables: Mapping[str, pd.DataFrame],
    images: Mapping[str, Path],
    captions: Mapping[str, str] | None = None,
    html: Path | None = None,
    summary: Mapping[str, Any] | None = None,
    entity: str | None = None,
    group: str | None = None,
    study: str | None = None,
) -> None:
    """Log a report as one W&B run with ``job_type=report``, in the group of its runs.

    Its keys start with the study's name (``report`` where there is none): ``STUDY/NAME`` is each
    table and each image, ``STUDY/page`` the page. Nothing is raised, and what W&B does not take is
    left out.

    Args:
        folder: of the report; W&B writes into ``folder/wandb``, where the files of an earlier
            report are removed and no others
        mode: as :func:`nst.runs.recording.tracking.wandb_run.open_run`
        project, name, entity, group: as in ``wandb.init``
        tables: {name: rows}, as of the runs and of the claims
        images: {name: PNG or JPEG}
        captions: {name: what W&B writes below the image}; its name where there is none
        html: a page that needs no other file
        summary: verdicts and numbers
        study: whose section of the dashboard shows this
    """
    head = study or "report"
    options = {
        **{"project": project, "entity": entity, "name": short_name(name)},
        "group": short_name(group) if group else None,
        **{"job_type": "report", "tags": ["report", *study_tags(study)]},
        "config": {"study": {"name": study}},
    }
    warn = Once()
    with _only_log_of(folder), _staged_in(folder), _warned("the report", warn):
        with open_run(folder, mode, options, warn=warn, finish_seconds=FINISH_SECONDS) as run:
            if run is None:
                return
            values = _values(tables, images, captions or {}, html)
            run.log({f"{head}/{key}": value for key, value in values.items()})
            run.summary.update(dict(summary or {}))


@contextmanager
def _only_log_of(folder: Path) -> Iterator[None]:
    """Remove an earlier report's log, or ``wandb sync`` would upload both; remember this one's."""
    files = OwnFiles(folder)
    names = [name for name in files.names() if name.startswith(f"{_WANDB}/")]
    # the folder of a run is the run's as a whole: its service writes last words after its end, and
    # wandb sync leaves a note
    runs = {PurePosixPath(name).parent for name in names if name.endswith(".wandb")}
    late = {name for run in runs for name in files.files_below(str(run))} - {*names}
    files.claim(late)
    files.remove([*names, *late])
    others = files.files_below(_WANDB)
    try:
        yield
    finally:
        files.claim(files.files_below(_WANDB) - others)


def _values(
    tables: Mapping[str, pd.DataFrame],
    images: Mapping[str, Path],
    captions: Mapping[str, str],
    html: Path | None,
) -> dict[str, Any]:
    """{key: what W&B takes}; what it does not take is left out with a warning."""
    values = dict(_pictures(images, captions))
    for name, table in tables.items():
        with _warned(f"the table {name}"):
            values[name] = wandb_table(table)
    if html is not None:
        with _warned(html.name):
            values["page"] = _page(html)
    return values


def _pictures(images: Mapping[str, Path], captions: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    import wandb

    for name, file in images.items():
        with _warned(file.name):
            yield name, wandb.Image(str(file), caption=captions.get(name, name))


def _page(html: Path) -> Any:
    import wandb

    return wandb.Html(html.read_text(encoding="utf-8"), inject=False)


def wandb_table(table: pd.DataFrame) -> Any:
    """A DataFrame as W&B's table: a column of numbers or of text each, so that it sorts and plots.

    What is neither becomes text; NaN and None are missing.
    """
    import wandb

    columns = [_column(table.iloc[:, number].tolist()) for number in range(table.shape[1])]
    filled: Any = wandb.Table(columns=list(map(str, table.columns)))
    for row in zip(*columns, strict=True):
        filled.add_data(*row)
    return filled


def _column(values: list[Any]) -> list[Any]:
    finite = [None if isinstance(v, float) and not math.isfinite(v) else v for v in values]
    if all(isinstance(value, (int, float, type(None))) for value in finite):
        return finite
    return [None if value is None else str(value) for value in finite]


@contextmanager
def _warned(part: str, warn: Once | None = None) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever W&B raises, the report is on disk
        (warn or Once())("W&B did not take %s: %s", part, error)


@contextmanager
def _staged_in(folder: Path) -> Iterator[None]:
    """W&B keeps the table of an offline run in the user's home; within the block, in ``folder``."""
    if "WANDB_DATA_DIR" in os.environ:  # the user's choice
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(folder.resolve() / _WANDB / "data")
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]
