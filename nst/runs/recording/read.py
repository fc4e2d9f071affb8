"""Run folders, read back into DataFrames."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from nst.runs.recording.folder import RECORD

log = logging.getLogger(__name__)


def load_runs(root: str | Path) -> pd.DataFrame:
    """Every complete run below a folder, a row each; nested keys are joined by dots.

    Returns:
        Columns as in ``record.json`` (``losses.total``, ``losses_unweighted.style``,
        ``config.seed`` …) and ``folder``; sorted by folder; empty where there is none.
    """
    rows = []
    for file in sorted(Path(root).rglob(RECORD)):
        row = _record(file)
        if row is not None:
            rows.append({"folder": str(file.parent), **row})
    return pd.json_normalize(rows) if rows else pd.DataFrame()


def _record(file: Path) -> dict[str, Any] | None:
    """What a run recorded; None, with a warning, for somebody else's file of that name."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        record = None
    if isinstance(record, dict):
        return record
    log.warning("%s is no run's record, and is left out", file)
    return None


def load_trace(folder: Path) -> pd.DataFrame:
    """``trace.csv`` of one run, a row per step.

    Returns:
        ``step``, ``seconds``, ``total``, then weighted ``style`` and ``style/LAYER`` and the like,
        then ``style_unweighted`` and ``style/LAYER_unweighted``, NaN where the weight is 0 (see
        :func:`nst.runs.recording.trace.losses_of_step`).
    """
    return pd.read_csv(folder / "trace.csv")
