from __future__ import annotations

from pathlib import Path

import pytest

from nst.errors import InputError
from nst.reports.own_files import (
    GENERATOR,
    MARK,
    OwnFiles,
    check_report_place,
    mark_outdated,
    replacing,
)
from nst.runs.recording.mark import digest_of


def write(own: OwnFiles, name: str, text: str = "ours") -> Path:
    file = own.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    own.add(name, digest_of(file))
    return file


def test_what_was_written_is_own_also_when_read_back(tmp_path: Path) -> None:
    write(OwnFiles(tmp_path), "a.txt")
    (tmp_path / "b.txt").write_text("mine")
    own = OwnFiles(tmp_path)
    assert own.names() == ["a.txt"]
    assert own.foreign(["a.txt", "b.txt", "c.txt"]) == ["b.txt"]


def test_a_file_that_was_changed_is_no_longer_own(tmp_path: Path) -> None:
    write(OwnFiles(tmp_path), "a.txt").write_text("changed")
    own = OwnFiles(tmp_path)
    assert own.names() == []
    own.remove(["a.txt"])
    assert (tmp_path / "a.txt").read_text() == "changed"


def test_removing_takes_own_files_and_empty_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "log" / "deep").mkdir(parents=True)
    for name in ("log/deep/a", "log/b", "log/c"):
        (tmp_path / name).write_text(name)
    own = OwnFiles(tmp_path)
    own.claim({"log/deep/a", "log/b", "log/missing"})
    OwnFiles(tmp_path).remove(["log/deep/a", "log/b", "log/c"])
    assert own.files_below("log") == {"log/c"}
    assert not (tmp_path / "log" / "deep").exists()


def test_a_mark_reaches_no_file_outside_of_its_folder(tmp_path: Path) -> None:
    outside, inside = tmp_path / "precious", tmp_path / "report"
    outside.write_text("mine")
    write(OwnFiles(inside), "a.txt", "mine")
    mark = inside / MARK
    forged = mark.read_text().replace("a.txt", "../precious")
    mark.write_text(forged + forged.splitlines()[1].replace("../precious", str(outside)) + "\n")
    own = OwnFiles(inside)
    own.remove(["../precious", str(outside)])
    assert outside.read_text() == "mine"
    assert own.names() == []


def test_a_link_is_own_as_long_as_it_leads_to_the_same_place(tmp_path: Path) -> None:
    link = tmp_path / "latest"
    link.symlink_to("one")
    OwnFiles(tmp_path).add("latest", digest_of(link))
    assert OwnFiles(tmp_path).owns("latest")
    link.unlink()
    link.symlink_to("two")
    assert not OwnFiles(tmp_path).owns("latest")


def test_an_empty_or_missing_folder_takes_a_report(tmp_path: Path) -> None:
    check_report_place(tmp_path / "missing", ["a.png"])
    (tmp_path / "report").mkdir()
    check_report_place(tmp_path, ["a.png"])
    assert [file.name for file in tmp_path.iterdir()] == ["report"]


PAGE = f'<meta name="generator" content="{GENERATOR}">\n<main>\n<h1>results</h1>\n</main>\n'


def test_an_earlier_page_says_at_its_head_that_a_later_report_failed(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(PAGE)
    for reason in ("no <judge>", "no picture"):  # the second takes the place of the first
        mark_outdated(tmp_path, reason)
    text = page.read_text()
    assert text.count("This page is of an earlier report") == 1
    assert "which failed: no picture" in text
    assert text.index("no picture") < text.index("<h1>")
    mark_outdated(tmp_path, "no <judge>")
    assert "no &lt;judge&gt;" in page.read_text()
    check_report_place(tmp_path)  # it is still the report's


def test_a_page_of_somebody_else_is_not_marked(tmp_path: Path) -> None:
    mark_outdated(tmp_path, "nothing there")
    assert not list(tmp_path.iterdir())
    (tmp_path / "report.html").write_text("<main>\nmine</main>")
    mark_outdated(tmp_path, "failed")
    assert (tmp_path / "report.html").read_text() == "<main>\nmine</main>"
