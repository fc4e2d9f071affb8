from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from nst.errors import InputError
from nst.pictures.sheets import sheet
from nst.runs.recording.folder import RunFolder, check_folder
from nst.runs.recording.read import load_runs
from nst.runs.recording.trace import Trace


def test_a_record_means_complete(run_folder: Path) -> None:
    RunFolder(run_folder).save_record({"status": "completed"})
    assert json.loads((run_folder / "record.json").read_text()) == {"status": "completed"}


def dot(color: str) -> Image.Image:
    return Image.new("RGB", (2, 2), color)


def contents(folder: Path) -> dict[str, bytes]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def finish(folder: Path, color: str, step: int = 0) -> dict[str, bytes]:
    """A whole run; what its folder holds then."""
    run = RunFolder(folder)
    run.save_image("image.png", dot(color))
    run.save_image(f"snapshots/step_{step:06d}.png", dot(color))
    with run.open_trace(["tv"]):
        pass
    run.save_record({"color": color})
    return contents(folder)


def test_what_an_unfinished_run_left_is_removed_by_the_next(run_folder: Path) -> None:
    first = RunFolder(run_folder)
    first.save_config({"seed": 0})
    first.save_image("snapshots/step_000003.png", dot("red"))
    (run_folder / "snapshots" / ".step_000004.png.part").write_bytes(b"half")
    (run_folder / "notes.txt").write_text("mine")
    check_folder(run_folder, {})
    RunFolder(run_folder)
    assert list(contents(run_folder)) == ["notes.txt"]
    assert not (run_folder / "snapshots").exists()


def test_a_finished_result_stays_until_the_next_is_complete(run_folder: Path) -> None:
    earlier = finish(run_folder, "red", step=1)
    later = RunFolder(run_folder)
    later.save_image("image.png", dot("blue"))
    assert contents(run_folder).items() >= earlier.items()
    assert (run_folder / "unfinished" / "image.png").is_file()
    swapped = finish(run_folder, "blue", step=2)
    assert set(swapped) == {
        *("image.png", "record.json", "trace.csv", ".nst-run", "snapshots/step_000002.png"),
    }
    assert json.loads(swapped["record.json"]) == {"color": "blue"}
    assert swapped["image.png"] != earlier["image.png"]
    check_folder(run_folder, {})  # and can be replaced in its turn
    assert finish(run_folder, "red", step=1) == earlier


@pytest.mark.parametrize("step", range(10))
def test_a_swap_that_fails_is_undone(
    run_folder: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = finish(run_folder, "red")
    later = RunFolder(run_folder)
    for name in ("image.png", "snapshots/step_000002.png", "sheet.png"):
        later.save_image(name, dot("blue"))
    unfinished = contents(run_folder / "unfinished")
    replace, calls = os.replace, iter(range(99))

    def fails_once(source: Path, target: Path) -> None:
        if next(calls) == step:
            raise PermissionError("a viewer has it open")
        replace(source, target)

    monkeypatch.setattr("nst.runs.recording.folder.os.replace", fails_once)
    with pytest.raises(PermissionError):
        later.save_record({"color": "blue"})
    after = contents(run_folder)
    assert {k: v for k, v in after.items() if not k.startswith("unfinished/")} == earlier
    for name in unfinished.keys() - {".nst-run"}:
        assert after[f"unfinished/{name}"] == unfinished[name]


@pytest.mark.parametrize(
    "name",
    [
        *("image.png", "content.png", "style.png", "sheet.png", "trace.csv", "config.yaml"),
        *("record.json", "snapshots/notes.txt", "snapshots/step_000001.png", ".nst-run"),
    ],
)
def test_somebody_elses_file_is_refused(run_folder: Path, name: str) -> None:
    (run_folder / name).parent.mkdir(parents=True)
    (run_folder / name).write_text("mine")
    with pytest.raises(InputError, match=rf"holds {name}, .*hydra\.run\.dir=outputs/NAME"):
        check_folder(run_folder, {})
    assert contents(run_folder) == {name: b"mine"}


def test_a_result_that_was_edited_is_somebodys(run_folder: Path) -> None:
    finish(run_folder, "red")
    dot("green").save(run_folder / "image.png")
    with pytest.raises(InputError, match=r"holds image\.png, .*changed since"):
        check_folder(run_folder, {})


def test_a_file_that_appears_during_a_run_stays(run_folder: Path) -> None:
    finish(run_folder, "red")
    later = RunFolder(run_folder)
    later.save_image("sheet.png", dot("blue"))
    (run_folder / "sheet.png").write_text("mine")
    with pytest.raises(InputError, match=r"sheet\.png"):
        later.save_record({"color": "blue"})
    assert (run_folder / "sheet.png").read_text() == "mine"
    assert json.loads((run_folder / "record.json").read_text()) == {"color": "red"}
    first = RunFolder(run_folder.parent / "other")
    (first.path / "sheet.png").write_text("mine")
    with pytest.raises(InputError, match=r"sheet\.png"):
        first.save_image("sheet.png", dot("blue"))
    assert (first.path / "sheet.png").read_text() == "mine"


def test_an_input_is_not_replaced_by_its_own_run(run_folder: Path, tmp_path: Path) -> None:
    finish(run_folder, "red")
    (tmp_path / "link.png").symlink_to(run_folder / "image.png")
    for file in (run_folder / "image.png", tmp_path / "link.png"):
        with pytest.raises(InputError, match=f"content={file} is among the files that a run"):
            check_folder(run_folder, {"content": file})
    RunFolder(run_folder).save_image("image.png", dot("blue"))
    with pytest.raises(InputError, match=r"style=.* is among the files that a run"):
        check_folder(run_folder, {"style": run_folder / "unfinished" / "image.png"})


def test_a_mark_reaches_no_other_folder(run_folder: Path, tmp_path: Path) -> None:
    RunFolder(run_folder).save_config({})
    (tmp_path / "mine.png").write_text("mine")
    with (run_folder / ".nst-run").open("a") as mark:
        mark.write("-  ../mine.png\n-  nst.log\n")
    (run_folder / "nst.log").write_text("a log")
    RunFolder(run_folder)
    assert set(contents(tmp_path)) == {"mine.png", "run/nst.log"}


def test_nothing_half_written_stays(run_folder: Path) -> None:
    folder = RunFolder(run_folder)
    folder.save_image("a/b.png", dot("red"))
    with pytest.raises(OSError, match="cannot write mode HSV"):
        folder.save_image("a/c.png", Image.new("HSV", (2, 2)))
    assert sorted(p.name for p in run_folder.rglob("*")) == [".nst-run", "a", "b.png"]


def test_a_number_that_is_not_finite_is_none_in_a_record(run_folder: Path) -> None:
    RunFolder(run_folder).save_record({"psnr": float("inf"), "losses": {"total": float("nan")}})
    record = json.loads((run_folder / "record.json").read_text())
    assert record == {"psnr": None, "losses": {"total": None}}


def test_trace(run_folder: Path) -> None:
    RunFolder(run_folder)
    values = {"total": 3.5, "content": 1.0, "style": 2.5, "style/relu_1": 2.5, "tv": None}
    trace = Trace(run_folder / "trace.csv", list(values))
    for step in range(3):
        trace.write(step, 0.5 * step, values)
    trace.close()
    table = pd.read_csv(run_folder / "trace.csv")
    assert list(table.columns) == ["step", "seconds", *values]
    assert table["step"].tolist() == [0, 1, 2]
    assert table["seconds"].tolist() == [0.0, 0.5, 1.0]
    assert table["style/relu_1"].tolist() == [2.5] * 3
    assert table["tv"].isna().all()


def test_many_folders_become_a_table(tmp_path: Path) -> None:
    assert load_runs(tmp_path).empty
    for name, seed in (("b/two", 0), ("a/one", 1)):
        RunFolder(tmp_path / name).save_record({"seed": seed, "losses": {"total": seed / 2}})
    RunFolder(tmp_path / "unfinished").save_config({"seed": 3})
    table = load_runs(tmp_path)
    assert [Path(folder).name for folder in table["folder"]] == ["one", "two"]
    assert table["losses.total"].tolist() == [0.5, 0.0]
    assert table["seed"].tolist() == [1, 0]


def test_a_sheet_keeps_shapes_and_shows_every_picture() -> None:
    fills = ["red", "green", "blue"]
    shapes = [(40, 80), (200, 100), (90, 60)]
    pictures = [(f"label {c}", Image.new("RGB", s, c)) for c, s in zip(fills, shapes, strict=True)]
    colors = sheet(pictures).getcolors(maxcolors=100_000)
    assert colors is not None
    areas = {color: count for count, color in colors}
    assert areas[(255, 0, 0)] == 30 * 60  # all as high as the last picture
    assert areas[(0, 128, 0)] == 120 * 60
    assert areas[(0, 0, 255)] == 90 * 60


def test_a_file_that_is_no_record_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in (("run", '{"status": "completed"}'), ("list", "[1]"), ("text", "mine")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text(text)
    assert load_runs(tmp_path)["folder"].tolist() == [str(tmp_path / "run")]
    assert caplog.text.count("is no run's record, and is left out") == 2
