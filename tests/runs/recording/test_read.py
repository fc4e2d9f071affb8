from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nst.errors import InputError
from nst.runs.recording.read import STATUSES, load_runs, load_trace

RECORD: dict[str, Any] = {
    "status": "completed",
    "losses": {"total": 3.0},
    "steps": 30,
    "psnr": None,
    "overrides": ["seed=0"],
    "config": {"seed": 0, "content": "astronaut"},
}


def write(folder: Path, record: object = RECORD) -> Path:
    folder.mkdir(parents=True)
    file = folder / "record.json"
    file.write_text(json.dumps(record))
    return file


def names(folder: Path, **how: Any) -> list[str]:
    runs = load_runs(folder, **how)
    return [] if runs.empty else [Path(each).name for each in runs["folder"]]


def test_completed_runs_are_loaded_unless_others_are_asked_for(tmp_path: Path) -> None:
    for status in STATUSES:
        write(tmp_path / f"is_{status}", RECORD | {"status": status})
    write(tmp_path / "older", {key: RECORD[key] for key in RECORD if key != "status"})
    assert names(tmp_path) == ["is_completed", "older"]
    assert names(tmp_path, status="failed") == ["is_failed"]
    assert len(names(tmp_path, status=STATUSES)) == 4
    with pytest.raises(InputError, match=r"status=complete: .*did you mean completed\?"):
        load_runs(tmp_path, status="complete")


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("losses", None, "its losses should be an object of numbers alone, and is null"),
        ("losses", {"total": "3"}, "its losses should be an object of numbers alone"),
        ("losses", {"total": 10**400}, "its losses should be an object of numbers alone"),
        ("steps", "many", "its steps should be a whole number, and is text"),
        ("steps", 1.5, "its steps should be a whole number, and is the number 1.5"),
        ("psnr", True, "its psnr should be a number, and is true or false"),
        ("overrides", "seed=0", "its overrides should be a list of texts, and is text"),
        ("overrides", [1], "its overrides should be a list of texts"),
        ("warnings", "black", "its warnings should be a list of texts, and is text"),
        ("config", [], "its config should be an object"),
        ("config", {"seed": "0"}, "its config.seed should be a whole number, and is text"),
        ("config.seed", [0], "its config.seed should be a whole number, and is a list"),
    ],
)
def test_a_record_with_something_else_in_a_key_is_left_out_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, key: str, value: object, reason: str
) -> None:
    write(tmp_path / "good")
    file = write(tmp_path / "wrong", RECORD | {key: value})
    assert names(tmp_path) == ["good"]
    (warning,) = caplog.messages
    assert warning.startswith(f"{file} is no run's record, and is left out: {reason}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no JSON from line 1, column 1 on"),
        (json.dumps(RECORD, indent=1).encode()[:60], "it is no JSON from line"),
        (b"[1]", "it holds a list and no object"),
        (b"12", "it holds the number 12 and no object"),
        (b"[" * 100_000, "it is no JSON in UTF-8"),
        ('{"device_name": "größer"}'.encode("latin-1"), "it is no JSON in UTF-8"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "it is no JSON in UTF-8"),
    ],
)
def test_a_file_that_is_no_record_is_left_out_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes, reason: str
) -> None:
    write(tmp_path / "good")
    write(tmp_path / "half").write_bytes(content)
    assert names(tmp_path) == ["good"]
    (warning,) = caplog.messages
    assert f"{tmp_path / 'half' / 'record.json'} is no run's record, " in warning
    assert reason in warning


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_an_editor_may_have_saved_a_record_in_another_unicode(
    tmp_path: Path, encoding: str
) -> None:
    write(tmp_path / "a").write_text(json.dumps(RECORD), encoding=encoding)
    assert names(tmp_path) == ["a"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "file").chmod(0)
    (write(tmp_path / "folder").parent).chmod(0)
    write(tmp_path / "good")
    assert names(tmp_path) == ["good"]
    (tmp_path / "folder").chmod(0o700)
    assert len(caplog.messages) == 2


def test_links_and_hidden_folders_are_not_entered(tmp_path: Path) -> None:
    write(tmp_path / "sweep" / "0")
    write(tmp_path / "sweep" / ".earlier")
    (tmp_path / "sweep" / "0" / "up").symlink_to(tmp_path / "sweep")
    (tmp_path / "sweep" / "record.json").symlink_to("record.json")
    assert names(tmp_path / "sweep") == ["0"]
    (tmp_path / "latest").symlink_to("sweep")
    assert names(tmp_path / "latest") == ["0"]


def test_a_record_does_not_say_which_folder_it_is_in(tmp_path: Path) -> None:
    write(tmp_path / "a", RECORD | {"folder": "/etc"})
    assert load_runs(tmp_path)["folder"].tolist() == [str(tmp_path / "a")]


def test_text_that_no_file_can_hold_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "a", RECORD | {"device_name": "x\ud800"})
    assert load_runs(tmp_path)["device_name"].tolist() == ["x?"]


# --- traces ---------------------------------------------------------------------------------------

TRACE = "step,seconds,total,style\r\n0,0.0,9.0,9\r\n1,0.5,4.25,4\r\n2,1.0,2.125,2\r\n"


def trace(folder: Path, content: str | bytes) -> Path:
    content = content.encode() if isinstance(content, str) else content
    (folder / "trace.csv").write_bytes(content)
    return folder


@pytest.mark.parametrize("torn", [1, 3, 9])
def test_a_torn_last_line_is_no_step(tmp_path: Path, torn: int) -> None:
    table = load_trace(trace(tmp_path, TRACE[: -1 - torn]))
    assert table["total"].tolist() == [9.0, 4.25]
    assert table["step"].dtype.kind == "i"


def test_what_is_no_number_is_missing(tmp_path: Path) -> None:
    content = TRACE.replace("4.25", "oops") + "3,1,2,3,4,5,6\r\n\0\0\0\0\r\nx,1,1,1\r\n"
    table = load_trace(trace(tmp_path, content))
    assert table["step"].tolist() == [0, 1, 2]
    assert table["total"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is no run's trace"),
        ("step,sec", "is no run's trace"),
        ("a,b\n1,2\n", "it has no columns step and total"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is no run's trace"),
    ],
)
def test_a_file_that_is_no_trace_is_an_error_of_one_line(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as error:
        load_trace(trace(tmp_path, content))
    assert str(tmp_path / "trace.csv") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_trace_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"trace\.csv cannot be read: No such file"):
        load_trace(tmp_path)
