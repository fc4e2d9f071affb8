from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image

from nst import records
from nst.records import PeakMemory, RunFolder, Trace, load_runs
from nst.sheets import sheet


def test_a_record_means_complete(run_folder: Path) -> None:
    folder = RunFolder(run_folder)
    folder.save_record({"status": "completed"})
    assert json.loads((run_folder / "record.json").read_text()) == {"status": "completed"}
    folder.save_image("snapshots/step_000003.png", Image.new("RGB", (2, 2)))
    RunFolder(run_folder)  # a new run in the same place is not complete yet
    assert not list(run_folder.iterdir())


def test_nothing_half_written_stays(run_folder: Path) -> None:
    folder = RunFolder(run_folder)
    with pytest.raises(ValueError, match="JSON"):
        folder.save_record({"psnr": float("inf")})
    folder.save_image("a/b.png", Image.new("RGB", (2, 2)))
    assert sorted(p.name for p in run_folder.rglob("*")) == ["a", "b.png"]


def test_trace(run_folder: Path) -> None:
    RunFolder(run_folder)
    trace = Trace(run_folder / "trace.csv", ("content/conv_4", "style/relu_1", "tv", "patch"))
    values = {"content": 1.0, "style": 2.5, "tv": 0.25, "patch": 0.0, "total": 3.75}
    values |= {"content/conv_4": 1.0, "style/relu_1": 2.5}
    for step in range(3):
        trace.write(step, 0.5 * step, values)
    trace.close()
    table = pd.read_csv(run_folder / "trace.csv")
    assert list(table.columns) == [*records.TRACE_HEAD, "content/conv_4", "style/relu_1"]
    assert table["step"].tolist() == [0, 1, 2]
    assert table["seconds"].tolist() == [0.0, 0.5, 1.0]
    assert table["style/relu_1"].tolist() == [2.5] * 3


def test_many_folders_become_a_table(tmp_path: Path) -> None:
    assert load_runs(tmp_path).empty
    for name, seed in (("b/two", 0), ("a/one", 1)):
        RunFolder(tmp_path / name).save_record({"seed": seed, "losses": {"total": seed / 2}})
    RunFolder(tmp_path / "unfinished").save_config({"seed": 3})
    table = load_runs(tmp_path)
    assert [Path(folder).name for folder in table["folder"]] == ["one", "two"]
    assert table["losses.total"].tolist() == [0.5, 0.0]
    assert table["seed"].tolist() == [1, 0]


def test_peak_memory_is_of_the_stretch_alone() -> None:
    big = torch.ones(60_000_000)  # 240 MB
    before = PeakMemory("cpu").megabytes()
    del big
    memory = PeakMemory("cpu")
    after = memory.megabytes()
    again = torch.ones(30_000_000)
    grown = memory.megabytes()
    del again
    if before is None or after is None or grown is None:
        pytest.skip("this system does not tell")
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system cannot reset the peak")
    assert after < before - 150
    assert grown > after + 80


def test_facts() -> None:
    assert {"python", "torch", "torchvision", "nst"} <= set(records.versions())
    assert records.device_name("cpu")
    commit, _ = records.git_commit()
    assert commit is None or len(commit) == 40


def test_a_sheet_keeps_shapes_and_shows_every_picture() -> None:
    colours = ["red", "green", "blue"]
    shapes = [(40, 80), (200, 100), (90, 60)]
    pictures = [
        (f"label {c}", Image.new("RGB", s, c)) for c, s in zip(colours, shapes, strict=True)
    ]
    made = sheet(pictures)
    found = made.getcolors(maxcolors=100_000)
    assert found is not None
    areas = {colour: count for count, colour in found}
    assert areas[(255, 0, 0)] == 30 * 60  # all as high as the last picture
    assert areas[(0, 128, 0)] == 120 * 60
    assert areas[(0, 0, 255)] == 90 * 60
