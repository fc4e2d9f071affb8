from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nst.reports.findings.claims import Study
from nst.reports.findings.studies import find_study
from nst.reports.layout import Line, Panel, lay_out, note, originals
from nst.reports.panels import panel_figures, panel_sheet
from nst.reports.sweeps import Sweep, load_sweep
from nst.runs.recording.folder import RunFolder
from tests.reports.synthetic import synthetic_sweep


def sweep_of(folder: Path, *jobs: list[str]) -> Sweep:
    """Runs that have a record and nothing else."""
    for number, job in enumerate(jobs):
        RunFolder(folder / f"{number}").save_record({"overrides": job, "psnr": 20.0})
    return load_sweep([folder])


def product(**axes: str) -> list[list[str]]:
    """Every combination, the first axis slowest; values are single letters."""
    jobs: list[list[str]] = [[]]
    for key, values in axes.items():
        jobs = [[*job, f"{key.replace('__', '.')}={value}"] for job in jobs for value in values]
    return jobs


def study(**changes: Any) -> Study:
    """A study with rows and columns of one's own."""
    weights = find_study("weights")
    assert weights is not None
    bare: dict[str, Any] = {"rows": None, "columns": None, "axes": ()}
    return dataclasses.replace(weights, **{**bare, **changes})


def labels(panel: Panel) -> tuple[list[str], list[str]]:
    return [line.label for line in panel.rows], [line.label for line in panel.columns]


def test_content_goes_down_and_style_across(tmp_path: Path) -> None:
    jobs = [[f"style={s}", f"content={c}"] for s in ("ink", "dabs") for c in ("coffee", "rocket")]
    (panel,) = lay_out(sweep_of(tmp_path, *jobs)).panels
    assert labels(panel) == (["coffee", "rocket"], ["ink", "dabs"])
    assert panel.cells == [[0, 2], [1, 3]]


def test_one_axis_is_one_line(tmp_path: Path) -> None:
    (panel,) = lay_out(sweep_of(tmp_path, ["seed=0"], ["seed=1"], ["seed=2"])).panels
    assert panel.is_single
    assert panel.cells == [[0, 1, 2]]


def test_a_third_axis_makes_a_panel_for_each_of_its_values(tmp_path: Path) -> None:
    layout = lay_out(sweep_of(tmp_path, *product(size="12", init="56", task="ab")))
    assert [panel.title for panel in layout.panels] == ["task a", "task b"]
    assert [panel.cells for panel in layout.panels] == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]
    assert [axis.key for axis in layout.apart] == ["task"]


def test_a_missing_run_leaves_a_gap(tmp_path: Path) -> None:
    jobs = [["size=1", "seed=0"], ["size=1", "seed=1"], ["size=2", "seed=0"]]
    (panel,) = lay_out(sweep_of(tmp_path, *jobs)).panels
    assert panel.cells == [[0, 1], [2, None]]


def test_a_study_says_what_goes_where(tmp_path: Path) -> None:
    jobs = product(loss__style_weight="93", loss__content_weight="12")
    layout = lay_out(sweep_of(tmp_path, *jobs), find_study("weights"))
    assert [axis.key for axis in (*layout.rows, *layout.columns)] == [
        *("loss.content_weight", "loss.style_weight"),
    ]


def test_seeds_that_repeat_are_rows_where_the_study_has_none(tmp_path: Path) -> None:
    asked = study(columns="size", axes=("size",))
    (panel,) = lay_out(sweep_of(tmp_path, *product(size="12", seed="012")), asked).panels
    assert labels(panel) == (["seed 0", "seed 1", "seed 2"], ["size 1", "size 2"])


def test_many_seeds_and_seeds_of_a_study_with_rows_are_panels(tmp_path: Path) -> None:
    asked = study(columns="size", axes=("size",))
    many = sweep_of(tmp_path / "many", *product(size="12", seed="0123456"))
    assert len(lay_out(many, asked).panels) == 7
    asked = study(rows="init", columns="size", axes=("init", "size"))
    full = sweep_of(tmp_path / "full", *product(init="ab", size="12", seed="01"))
    assert [panel.title for panel in lay_out(full, asked).panels] == ["seed 0", "seed 1"]


def test_seeds_that_a_study_is_about_are_an_axis_like_others(tmp_path: Path) -> None:
    asked = study(axes=("seed",))
    (panel,) = lay_out(sweep_of(tmp_path, *product(size="12", seed="01")), asked).panels
    assert labels(panel) == (["size 1", "size 2"], ["seed 0", "seed 1"])


def test_a_sweep_of_two_more_axes_has_its_seeds_in_panels(tmp_path: Path) -> None:
    layout = lay_out(sweep_of(tmp_path, *product(seed="01", size="12", init="ab")))
    assert [panel.title for panel in layout.panels] == ["seed 0", "seed 1"]


def test_panels_beyond_the_limit_are_counted(tmp_path: Path) -> None:
    layout = lay_out(sweep_of(tmp_path, *product(size="12", init="ab", seed="0123")), most=3)
    assert (len(layout.panels), layout.total) == (3, 4)


def test_wide_panels_are_cut_into_blocks_that_are_about_equally_wide() -> None:
    columns = tuple(Line(str(i), {"size": str(i)}) for i in range(17))
    rows = (Line("a", {"init": "a"}), Line("b", {"init": "b"}))
    panel = Panel("", rows, columns, [list(range(17)), list(range(17, 34))])
    blocks = panel.blocks(8)
    assert [len(block.columns) for block in blocks] == [6, 6, 5]
    assert all(block.rows == rows for block in blocks)
    assert [index for block in blocks for index in block.cells[1]] == list(range(17, 34))
    assert Panel("", rows, columns[:8], [list(range(8))] * 2).blocks(8)[0].columns == columns[:8]


def two_sweeps(folder: Path, *jobs: list[list[str]]) -> Sweep:
    for name, of_one in zip("ab", jobs, strict=True):
        for number, job in enumerate(of_one):
            RunFolder(folder / name / f"{number}").save_record({"overrides": job})
    return load_sweep([folder / "a", folder / "b"])


def test_the_cells_of_two_sweeps_stand_below_each_other(tmp_path: Path) -> None:
    """Also where one of them has another network, and layers that the other has not."""
    a = [["content_layer=conv_1", "seed=0"], ["content_layer=conv_4", "seed=0"]]
    b = [["backbone=vgg16", f"content_layer=conv_{k}", "seed=0"] for k in (1, 4, 13)]
    sweep = two_sweeps(tmp_path, a, b)
    assert sweep.differences == {"a": {"backbone": "default"}, "b": {"backbone": "vgg16"}}
    (panel,) = lay_out(sweep, study(columns="content_layer", axes=("content_layer",))).panels
    assert labels(panel) == (["a", "b"], ["conv_1", "conv_4", "conv_13"])
    assert panel.cells == [[0, 1, None], [2, 3, 4]]


def test_each_row_of_a_sweep_is_followed_by_the_others(tmp_path: Path) -> None:
    jobs = product(init="xy", size="12")
    (panel,) = lay_out(two_sweeps(tmp_path, jobs, jobs), study(rows="init", columns="size")).panels
    assert labels(panel)[0] == ["x · a", "x · b", "y · a", "y · b"]
    assert panel.cells == [[0, 1], [4, 5], [2, 3], [6, 7]]


def test_a_row_that_one_sweep_lacks_stays_as_gaps(tmp_path: Path) -> None:
    sweep = two_sweeps(tmp_path, product(init="xy", size="12"), product(init="x", size="12"))
    (panel,) = lay_out(sweep, study(rows="init", columns="size")).panels
    assert panel.cells == [[0, 1], [4, 5], [2, 3], [None, None]]


def test_single_runs_of_two_sweeps_stand_beside_each_other(tmp_path: Path) -> None:
    (panel,) = lay_out(two_sweeps(tmp_path, [["size=1"]], [["size=2"]])).panels
    assert labels(panel) == ([""], ["a", "b"])


def test_originals_stand_on_the_border(tmp_path: Path) -> None:
    folder = synthetic_sweep(tmp_path, "content=astronaut,coffee", "init=noise,content")
    sweep = load_sweep([folder])
    (panel,) = lay_out(sweep).panels
    border = originals(sweep, panel)
    assert [head.label for head in border.rows] == ["astronaut", "coffee"]
    for head, run in zip(border.rows, (0, 2), strict=True):
        with Image.open(folder / f"{run}" / "content.png") as original:
            assert head.picture is not None
            assert head.picture.tobytes() == original.convert("RGB").tobytes()
    assert [head.label for head in border.corner] == ["style"]


@pytest.mark.parametrize("swept", ["seed=0,1,2", "seed=range(10)"])
def test_a_sheet_is_a_picture_and_its_print_has_a_page_for_each_block(
    swept: str, tmp_path: Path
) -> None:
    sweep = load_sweep([synthetic_sweep(tmp_path, swept, "init=noise,content")])
    asked = study(rows="init", columns="seed", axes=("seed", "init"))
    (panel,) = lay_out(sweep, asked).panels
    sheet, pages = panel_sheet(sweep, panel), panel_figures(sweep, panel)
    assert len(pages) == len(panel.blocks()) == (1 if swept == "seed=0,1,2" else 2)
    assert sheet.height > 16 * len(panel.rows) * len(pages)
    assert sheet.getcolors(1 << 20) is None or len(sheet.getcolors(1 << 20) or ()) > 20


def test_only_reconstructions_have_their_psnr_beside_them(tmp_path: Path) -> None:
    for task in ("content", "transfer"):
        record = {"overrides": [f"task={task}"], "task": task, "psnr": 20.04}
        RunFolder(tmp_path / task).save_record(record)
    sweep = load_sweep([tmp_path])
    assert [note(sweep, index) for index in (0, 1)] == ["20.0 dB", ""]
