"""Run folders, read back into DataFrames."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from nst.runs.recording.folder import RECORD


def load_runs(root: str | Path) -> pd.DataFrame:
    """Every complete run below a folder, a row each; nested keys are joined by dots.

    Returns:
        Columns as in ``record.json`` (``losses.total``, ``config.seed`` …) and ``folder``; sorted
        by folder; empty where there is none.
    """
    rows = []
    for file in sorted(Path(root).rglob(RECORD)):
        row = json.loads(file.read_text(encoding="utf-8"))
        rows.append({"folder": str(file.parent), **row})
    return pd.json_normalize(rows) if rows else pd.DataFrame()


def load_trace(folder: Path) -> pd.DataFrame:
    """``trace.csv`` of one run."""
    return pd.read_csv(folder / "trace.csv")
