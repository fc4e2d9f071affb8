from __future__ import annotations

from pathlib import Path

from PIL import Image

from nst.reports.findings.studies import find_study
from nst.reports.layout import lay_out, note, originals, panel_sheet
from nst.reports.sweeps import Axis, Sweep, load_sweep
from nst.runs.recording.folder import RunFolder
from tests.reports.sweeping import run_sweep


def sweep_of(folder: Path, *jobs: list[str]) -> Sweep:
    """Runs that have a record and nothing else."""
    for number, job in enumerate(jobs):
        RunFolder(folder / f"{number}").save_record({"overrides": job, "psnr": 20.0})
    return load_sweep([folder])


def keys(*axes: Axis | None) -> list[str | None]:
    return [axis.key if axis else None for axis in axes]


def test_content_goes_down_and_style_across(tmp_path: Path) -> None:
    jobs = [[f"style={s}", f"content={c}"] for s in ("ink", "dabs") for c in ("coffee", "rocket")]
    (panel,) = lay_out(sweep_of(tmp_path, *jobs))
    assert keys(panel.rows, panel.columns) == ["content", "style"]
    assert panel.cells == [[0, 2], [1, 3]]


def test_one_axis_is_one_line(tmp_path: Path) -> None:
    (panel,) = lay_out(sweep_of(tmp_path, ["seed=0"], ["seed=1"], ["seed=2"]))
    assert keys(panel.rows, panel.columns) == [None, "seed"]
    assert panel.cells == [[0, 1, 2]]


def test_a_third_axis_makes_a_panel_for_each_of_its_values(tmp_path: Path) -> None:
    jobs = [[f"size={a}", f"seed={b}", f"init={c}"] for a in "12" for b in "34" for c in "56"]
    panels = lay_out(sweep_of(tmp_path, *jobs))
    assert [panel.title for panel in panels] == ["init 5", "init 6"]
    assert [panel.cells for panel in panels] == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]


def test_a_missing_run_leaves_a_gap(tmp_path: Path) -> None:
    jobs = [["size=1", "seed=0"], ["size=1", "seed=1"], ["size=2", "seed=0"]]
    (panel,) = lay_out(sweep_of(tmp_path, *jobs))
    assert panel.cells == [[0, 1], [2, None]]


def test_a_study_says_what_goes_where(tmp_path: Path) -> None:
    jobs = [
        [f"loss.style_weight={s}", f"loss.content_weight={c}"] for s in ("30", "3") for c in "12"
    ]
    (panel,) = lay_out(sweep_of(tmp_path, *jobs), find_study("weights"))
    assert keys(panel.rows, panel.columns) == ["loss.content_weight", "loss.style_weight"]


def test_originals_stand_on_the_border(tmp_path: Path) -> None:
    folder = run_sweep(tmp_path, "content=astronaut,coffee", "init=noise,content")
    sweep = load_sweep([folder])
    (panel,) = lay_out(sweep)
    border = originals(sweep, panel)
    assert [head.label for head in border.rows] == ["astronaut", "coffee"]
    for head, run in zip(border.rows, (0, 2), strict=True):
        with Image.open(folder / f"{run}" / "content.png") as original:
            assert head.picture is not None
            assert head.picture.tobytes() == original.convert("RGB").tobytes()
    assert [head.label for head in border.corner] == ["style"]
    sheet = panel_sheet(sweep, panel)
    assert sheet.width > 3 * 160
    assert sheet.height > 2 * 160


def test_only_reconstructions_have_their_psnr_beside_them(tmp_path: Path) -> None:
    for task in ("content", "transfer"):
        record = {"overrides": [f"task={task}"], "task": task, "psnr": 20.04}
        RunFolder(tmp_path / task).save_record(record)
    sweep = load_sweep([tmp_path])
    assert [note(sweep, index) for index in (0, 1)] == ["20.0 dB", ""]
