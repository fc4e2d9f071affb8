from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from nst.errors import InputError, Interruption
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


def earlier_report(folder: Path) -> dict[str, bytes]:
    """Write a report of two files and a page; what the folder holds then."""
    with replacing(folder) as staged:
        (staged / "report.html").write_text(PAGE)
        for name in ("a.txt", "b.txt"):
            (staged / "report" / name).write_text("earlier")
    return everything(folder)


def everything(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def write_later_report(staged: Path) -> None:
    (staged / "report" / "a.txt").write_text("later")
    (staged / "report" / "c.txt").write_text("later")
    (staged / "report.html").write_text(PAGE + "later")


def test_a_report_takes_the_earlier_ones_place_and_leaves_nothing_of_it(tmp_path: Path) -> None:
    earlier_report(tmp_path)
    (tmp_path / "report" / "mine.txt").write_text("mine")
    with replacing(tmp_path) as staged:
        write_later_report(staged)
    held = everything(tmp_path)
    mark = held.pop("report/.nst-report").decode()
    assert held == {
        "report.html": (PAGE + "later").encode(),
        **{"report/a.txt": b"later", "report/c.txt": b"later", "report/mine.txt": b"mine"},
    }
    assert mark.count("\n") == 3  # its head, a.txt and c.txt
    assert sorted(OwnFiles(tmp_path / "report").names()) == ["a.txt", "c.txt"]


@pytest.mark.parametrize("error", [ZeroDivisionError, Interruption])
def test_a_report_that_does_not_come_to_its_end_changes_nothing(
    tmp_path: Path, error: type[BaseException]
) -> None:
    before = earlier_report(tmp_path)

    def write_and_fail() -> None:
        with replacing(tmp_path) as staged:
            write_later_report(staged)
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert everything(tmp_path) == before


@pytest.mark.parametrize("renames", range(6))
def test_a_signal_while_files_take_their_places_leaves_one_whole_report(
    tmp_path: Path, renames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier_report(tmp_path)
    done, rename = [0], os.replace

    def interrupted(source: Path, target: Path) -> None:
        if done[0] == renames:
            done[0] += 1
            raise Interruption(signal.SIGTERM)
        done[0] += 1
        rename(source, target)

    monkeypatch.setattr("nst.reports.own_files.os.replace", interrupted)
    ended = pytest.raises(Interruption) if renames < 5 else contextlib.nullcontext()
    with ended, replacing(tmp_path) as staged:  # the mark, two files, the page, the mark
        write_later_report(staged)
    held = everything(tmp_path)
    assert set(held) == {"report.html", *(f"report/{n}" for n in (".nst-report", "a.txt", "c.txt"))}
    assert held["report/a.txt"] == b"later"
    assert sorted(OwnFiles(tmp_path / "report").names()) == ["a.txt", "c.txt"]


def test_what_a_killed_report_left_is_in_nobodys_way(tmp_path: Path) -> None:
    earlier_report(tmp_path)
    (tmp_path / ".report.part" / "report").mkdir(parents=True)
    (tmp_path / ".report.part" / "report" / "a.txt").write_text("half")
    OwnFiles(tmp_path / "report").claim(["a.txt"])  # as before it is renamed
    with replacing(tmp_path) as staged:
        assert not list((staged / "report").iterdir())
        write_later_report(staged)
    assert not (tmp_path / ".report.part").exists()
    assert (tmp_path / "report" / "a.txt").read_text() == "later"


def test_two_reports_at_once_do_not_mix(tmp_path: Path) -> None:
    with replacing(tmp_path) as staged:
        write_later_report(staged)
        with pytest.raises(InputError, match="another report is at work"):
            earlier_report(tmp_path)
    assert (tmp_path / "report" / "a.txt").read_text() == "later"
    assert {file.name for file in tmp_path.iterdir()} == {"report", "report.html"}


def test_a_mark_that_is_no_text_claims_nothing_else(tmp_path: Path) -> None:
    write(OwnFiles(tmp_path), "a.txt")
    with (tmp_path / MARK).open("ab") as mark:
        mark.write(b"\xff\xfe\0\n")
    assert OwnFiles(tmp_path).names() == ["a.txt"]


def outside(folder: Path) -> Path:
    """A folder of somebody, beside the report's."""
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "precious").write_text("mine")
    return folder / "elsewhere"


@pytest.mark.parametrize("link", ["report", "report/.nst-report"])
def test_a_report_does_not_follow_a_link_in_the_place_of_its_files(
    tmp_path: Path, link: str
) -> None:
    elsewhere, folder = outside(tmp_path), tmp_path / "sweep"
    earlier_report(tmp_path / "elsewhere" / "other")
    target = elsewhere / "other" / link
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(target)
    before = everything(elsewhere)
    with pytest.raises(InputError, match=r"is a link|was not written by a report"):
        earlier_report(folder)
    assert everything(elsewhere) == before


@pytest.mark.parametrize("link", [".report.part", ".report.html.part"])
def test_what_is_being_written_does_not_follow_a_link(tmp_path: Path, link: str) -> None:
    elsewhere, folder = outside(tmp_path), tmp_path / "sweep"
    earlier_report(folder)
    (folder / link).symlink_to(elsewhere if link == ".report.part" else elsewhere / "precious")
    earlier_report(folder)
    mark_outdated(folder, "it failed")
    assert everything(elsewhere) == {"precious": b"mine"}
    assert "it failed" in (folder / "report.html").read_text()


def test_a_links_target_is_not_the_reports_own(tmp_path: Path) -> None:
    elsewhere, folder = outside(tmp_path), tmp_path / "report"
    write(OwnFiles(folder), "a.txt")
    own = OwnFiles(folder)
    (folder / "wandb").symlink_to(elsewhere)
    own.add("wandb/precious", digest_of(elsewhere / "precious"))
    OwnFiles(folder).remove(["wandb/precious"])
    assert (elsewhere / "precious").read_text() == "mine"
    assert OwnFiles(folder).names() == ["a.txt"]


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
