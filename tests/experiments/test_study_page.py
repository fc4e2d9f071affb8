"""docs/studies.md from finished sweeps."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from experiments.study_page import main
from tests.reports.sweeping import run_sweep


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("content_seeds")
    return run_sweep(folder, "study=content_seeds", "seed=0,1,2", "content=coffee")


def write(page: Path, *folders: Path) -> str:
    sys.argv = ["study_page", str(page), *map(str, folders)]
    main()
    return page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_has_command_claims_and_pictures(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    text = write(tmp_path / "studies.md", sweep)
    assert "python run.py -m study=content_seeds seed=0,1,2 content=coffee\n" in text
    assert text.count("| cannot say |") == 2 * 3  # two steps, in the summary and in the section
    shown = re.findall(r"\(images/(\S+)\)", text)
    assert shown[0] == "study_content_seeds_vgg19_mini.jpg"
    assert len(shown) == 3
    assert all((tmp_path / "images" / name).is_file() for name in shown)


@pytest.mark.slow
def test_remarks_are_kept_and_stand_apart_from_the_table(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    page = tmp_path / "studies.md"
    page.write_text(
        "# What the studies found\n\n> On all.\n\n### content_seeds, `vgg19_mini`\n\n> On one.\n",
        encoding="utf-8",
    )
    text = write(page, sweep)
    assert "\n\n> On all.\n\n| study |" in text
    assert "\n\n> On one.\n\n![content_seeds" in text
    assert write(page, sweep) == text


def test_a_free_sweep_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    free = run_sweep(tmp_path / "free", "seed=0,1", "task=texture")
    with pytest.raises(SystemExit, match="2"):
        write(tmp_path / "studies.md", free)
    (line,) = capsys.readouterr().err.splitlines()
    assert "not a study's sweep" in line
