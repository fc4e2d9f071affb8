from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nst.reports.sweeps import Sweep, load_sweep
from nst.reports.tables import (
    Spread,
    cell_text,
    compare,
    groups,
    metrics,
    metrics_table,
    summary_table,
    timing,
)
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


def seeds(folder: Path) -> Sweep:
    """Two layers × three seeds; one run has no PSNR."""
    psnr = {("conv_1", 0): 40.0, ("conv_1", 1): 42.0, ("conv_1", 2): 44.0, ("conv_4", 0): 20.0}
    for number, (layer, seed) in enumerate((c, s) for c in ("conv_1", "conv_4") for s in range(3)):
        record = {"psnr": psnr.get((layer, seed)), "seconds_per_step": 0.5, **MACHINE}
        overrides = [f"content_layer={layer}", f"seed={seed}"]
        RunFolder(folder / str(number)).save_record({"overrides": overrides, **record})
    return load_sweep([folder])


def test_runs_that_differ_in_their_seed_alone_are_one_group(tmp_path: Path) -> None:
    first, second = groups(seeds(tmp_path))
    assert (first.values, first.count) == (("conv_1",), 3)
    assert first.numbers["psnr"] == Spread(42.0, 2.0)  # n − 1 in the denominator
    assert second.numbers["psnr"] == Spread(20.0, None)


def test_the_summary_names_units_in_its_heads(tmp_path: Path) -> None:
    table = summary_table(seeds(tmp_path))
    assert list(table.columns) == [
        *("content_layer", "n", "psnr_mean [dB]", "psnr_std [dB]"),
        *("seconds_per_step_mean [s]", "seconds_per_step_std [s]"),
    ]
    assert table["n"].tolist() == [3, 3]
    assert table["psnr_mean [dB]"].tolist() == [42.0, 20.0]


def test_a_sweep_of_seeds_alone_is_one_group(tmp_path: Path) -> None:
    for seed in (0, 1):
        record = {"overrides": [f"seed={seed}"], "psnr": 20.0 + seed}
        RunFolder(tmp_path / str(seed)).save_record(record)
    (group,) = groups(load_sweep([tmp_path]))
    assert (group.values, group.count) == ((), 2)
    assert str(group.numbers["psnr"]) == "20.50 ± 0.71"


@pytest.mark.parametrize(
    ("spread", "text"),
    [
        (Spread(0.00581, 0.00021), "0.00581 ± 0.00021"),
        (Spread(763.6, 3.7), "763.6 ± 3.7"),
        (Spread(1.0, 6e-7), "1.000 ± 0.000"),
        (Spread(2e6, 3e4), "(2.000 ± 0.030)·10⁶"),
        (Spread(0.0, 0.0), "0.000 ± 0.000"),
        (Spread(float("nan")), "–"),
        (Spread(12.3456), "12.35"),
    ],
)
def test_a_spread_has_as_many_digits_as_it_leaves_meaning_to(spread: Spread, text: str) -> None:
    assert str(spread) == text


def test_sweeps_are_compared_cell_by_cell(tmp_path: Path) -> None:
    values = {"a": {"conv_1": 40.0, "conv_4": 20.0}, "b": {"conv_1": 38.0, "conv_8": 15.0}}
    for name, layers in values.items():
        for layer, psnr in layers.items():
            record = {"overrides": [f"content_layer={layer}"], "psnr": psnr}
            RunFolder(tmp_path / name / layer).save_record(record)
    comparison = compare(load_sweep([tmp_path / "a", tmp_path / "b"]))
    assert comparison is not None
    assert comparison.sweeps == ("a", "b")
    assert {cell.values: cell.numbers["psnr"] for cell in comparison.cells} == {
        ("conv_1",): [40.0, 38.0],
        ("conv_4",): [20.0, None],
        ("conv_8",): [None, 15.0],
    }
    assert compare(load_sweep([tmp_path / "a"])) is None
