from __future__ import annotations

import errno
from pathlib import Path

import pytest

from nst import durable
from nst.errors import InputError


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "a.txt"
    durable.write_text(file, "first")
    with pytest.raises(RuntimeError), durable.replacing(file) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert file.read_text() == "first"
    durable.write_text(file, "größer")
    assert file.read_text(encoding="utf-8") == "größer"
    assert [each.name for each in file.parent.iterdir()] == ["a.txt"]


def test_an_error_of_the_disk_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    with pytest.raises(OSError, match=r"No space left on device: '.*a.txt'") as caught:
        with durable.replacing(file):
            raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.errno == errno.ENOSPC


def test_a_link_in_the_way_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / ".a.txt.part").symlink_to(tmp_path / "mine")
    durable.write_text(tmp_path / "a.txt", "text")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "a.txt").is_symlink()


def test_a_folder_is_one_programs_at_a_time(tmp_path: Path) -> None:
    with durable.in_use(tmp_path / "run", "run"):
        with pytest.raises(InputError, match=r"another run is at work in .*run; wait for its end"):
            with durable.in_use(tmp_path / "run", "run"):
                raise AssertionError
    with durable.in_use(tmp_path / "run", "run"):
        pass
    assert not list((tmp_path / "run").iterdir())
