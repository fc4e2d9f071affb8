from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch

import nst
from nst.runs.recording import provenance
from nst.runs.recording.provenance import PeakMemory, git_commit

ROOT = Path(nst.__file__).resolve().parents[1]
OWN_FILES = ("nst/runs/recording/provenance.py", "conf/config.yaml", "run.py")

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def repository(folder: Path, *files: str) -> str:
    """A repository with these files; its commit."""
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "all")
    return git(folder, "rev-parse", "HEAD")


@needs_git
def test_a_checkout_has_its_commit_and_says_whether_it_changed(tmp_path: Path) -> None:
    commit = repository(tmp_path, *OWN_FILES)
    assert git_commit(tmp_path) == (commit, False)
    (tmp_path / "run.py").write_text("other text")
    assert git_commit(tmp_path) == (commit, True)


@needs_git
def test_a_repository_of_somebody_else_is_not_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one into which the package is installed, nor one around it, nor GIT_DIR's."""
    repository(tmp_path, "thesis.tex")
    for name in OWN_FILES:  # not committed
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    assert git_commit(tmp_path) == (None, False)
    (tmp_path / "inner").mkdir()
    assert git_commit(tmp_path / "inner") == (None, False)
    own = repository(tmp_path / "own", *OWN_FILES)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    assert git_commit(tmp_path / "own") == (own, False)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout")
@needs_git
def test_a_run_records_the_commit_of_this_checkout() -> None:
    assert git_commit()[0] == git(ROOT, "rev-parse", "HEAD")


def test_versions_and_the_processor_are_named() -> None:
    assert {"python", "torch", "torchvision", "nst"} <= set(provenance.versions())
    assert provenance.device_name("cpu")


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
