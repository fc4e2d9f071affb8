from __future__ import annotations

from pathlib import Path

import pytest

from nst.command import folders
from nst.command.ending import again


@pytest.fixture(autouse=True)
def nothing_claimed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(folders, "_claimed", {})
    monkeypatch.chdir(tmp_path)


def test_one_program_has_one_folder_and_another_has_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [folders.own_folder("out/12-00") for _ in range(2)] == ["out/12-00"] * 2
    monkeypatch.setattr(folders, "_claimed", {})  # as in another program
    assert folders.own_folder("out/12-00") == "out/12-00_2"
    assert sorted(path.name for path in Path("out").iterdir()) == ["12-00", "12-00_2"]


@pytest.mark.parametrize("obstacle", ["file", "dangling link"])
def test_a_place_that_cannot_hold_a_folder_is_left_to_whoever_writes_there(obstacle: str) -> None:
    if obstacle == "file":
        Path("out").write_text("no folder")
    else:
        Path("out").symlink_to("nowhere")
    assert folders.own_folder("out/12-00") == "out/12-00"


def test_a_command_that_goes_on_reaches_hydra_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["nst"])
    command = again(["-m", "seed=0,1", "resume=true", "hydra.sweep.dir=x"], Path("a,b"), True)
    assert command == """nst -m seed=0,1 'hydra.sweep.dir='"'"'a,b'"'"'' resume=true"""
