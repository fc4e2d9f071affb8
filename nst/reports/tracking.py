"""A report as a W&B run of its own, beside the runs that it reports on.

A failure of W&B costs its own log and nothing else, with a warning.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nst.runs.labels import study_tags
from nst.runs.tracking import Mode, open_run

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def log_report(
    folder: Path,
    *,
    mode: Mode,
    project: str,
    name: str,
    table: pd.DataFrame,
    images: Mapping[str, Path],
    html: Path | None = None,
    summary: Mapping[str, Any] | None = None,
    entity: str | None = None,
    group: str | None = None,
    study: str | None = None,
) -> None:
    """Log a report as one W&B run with ``job_type=report``, in the group of its runs.

    Its keys start with the study's name (``report`` where there is none): ``STUDY/runs`` is the
    table, ``STUDY/NAME`` each image, ``STUDY/page`` the page. Nothing is raised, and what W&B does
    not take is left out.

    Args:
        folder: of the report; W&B writes into ``folder/wandb``, which an earlier report loses
        mode: ``offline`` or ``online``; online falls back to offline where W&B does not answer
        project, name, entity, group: as in ``wandb.init``
        table: a row per run
        images: {name: PNG or JPEG}
        html: a page that needs no other file
        summary: findings, in numbers
        study: whose section of the dashboard shows this
    """
    head = study or "report"
    options = {
        **{"project": project, "entity": entity, "name": name, "group": group},
        **{"job_type": "report", "tags": ["report", *study_tags(study)]},
        "config": {"study": {"name": study}},
    }
    shutil.rmtree(folder / "wandb", ignore_errors=True)  # or wandb sync would upload both
    with _staged_in(folder), _warned("the report"):
        with open_run(folder, mode, options) as run:
            if run is None:
                return
            found = dict(_pictures(images))
            with _warned("the table"):
                found["runs"] = wandb_table(table)
            if html is not None:
                with _warned(html.name):
                    found["page"] = _page(html)
            run.log({f"{head}/{key}": value for key, value in found.items()})
            run.summary.update(dict(summary or {}))


def _pictures(images: Mapping[str, Path]) -> Iterator[tuple[str, Any]]:
    import wandb

    for name, file in images.items():
        with _warned(file.name):
            yield name, wandb.Image(str(file), caption=name)


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
    given = [None if isinstance(v, float) and not math.isfinite(v) else v for v in values]
    if all(isinstance(value, (int, float, type(None))) for value in given):
        return given
    return [None if value is None else str(value) for value in given]


@contextmanager
def _warned(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever W&B raises, the report is on disk
        log.warning("W&B did not take %s: %s", what, error)


@contextmanager
def _staged_in(folder: Path) -> Iterator[None]:
    """W&B keeps the table of an offline run in the user's home; here: with the run."""
    if "WANDB_DATA_DIR" in os.environ:  # the user's choice
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(folder.resolve() / "wandb" / "data")
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]
