from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nst.reports.sweeps import Sweep, load_sweep
from nst.reports.tables import cell_text, metrics, metrics_table, timing
from nst.runs.recording.folder import RunFolder

MACHINE = {"device_name": "abacus", "device": "cpu", "threads": 2}


def sweep_of(folder: Path, *values: dict[str, Any]) -> Sweep:
    for number, each in enumerate(values):
        RunFolder(folder / f"{number}").save_record(
            {"overrides": [f"size={number}"], **MACHINE, **each}
        )
    return load_sweep([folder])


def test_the_losses_are_those_of_the_records(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, {"losses": {"total": 3.0, "style": 2.0, "smell_of_paint": 1.0}})
    names = {column: name for column, name in metrics(sweep).items() if "losses" in column}
    assert names == {
        "losses.total": "loss",
        "losses.style": "style loss",
        "losses.smell_of_paint": "smell of paint loss",
    }


def test_the_table_leaves_out_what_no_run_has_and_what_is_nought_in_all(tmp_path: Path) -> None:
    losses = {"total": 3.0, "content": 3.0, "tv": 0.0}
    runs = [{"psnr": None, "losses": losses, "seconds": s, "restarts": s - 1} for s in (1, 2)]
    table = metrics_table(sweep_of(tmp_path, *runs))
    assert list(table.columns) == [
        *("size", "losses.total", "losses.content", "seconds", "restarts", "command"),
    ]
    assert table["command"].tolist() == ["python run.py size=0", "python run.py size=1"]


def test_a_loss_that_one_run_lacks_stays_in_the_table(tmp_path: Path) -> None:
    table = metrics_table(sweep_of(tmp_path, {"losses": {"tv": 1.0}}, {"losses": {}}))
    assert table["losses.tv"].isna().tolist() == [False, True]


def test_times_are_medians_with_their_range(tmp_path: Path) -> None:
    runs = [{"seconds": s, "seconds_per_step": s / 10} for s in (1.0, 2.0, 9.0)]
    times = timing(sweep_of(tmp_path, *runs))
    assert times.hardware == ["abacus (cpu, threads: 2)"]
    assert [line.name for line in times.lines] == ["all runs", "size 0", "size 1", "size 2"]
    assert times.lines[0].whole == "2.0 (1.0–9.0)"
    assert times.lines[0].step == "0.2000 (0.1000–0.9000)"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.1235"), (12, "12"), (None, "–"), (float("nan"), "–"), ("a/b.jpg", "b")],
)
def test_cells(value: Any, text: str) -> None:
    assert cell_text(value) == text
