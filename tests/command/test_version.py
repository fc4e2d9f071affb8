from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from nst.command.version import asks_for_version, versions

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_versions_are_those_of_the_packages() -> None:
    assert versions() == (
        f"nst {version('nst')}, torch {version('torch')}, Python {platform.python_version()}"
    )


@pytest.mark.parametrize("line", ["--version", "size=64 --version", "--vers", "--version --help"])
def test_the_flag_is_known(line: str) -> None:
    assert asks_for_version(line.split())
    assert not asks_for_version(["size=64", "--help", "content=--version"])


def test_the_program_says_its_versions_without_loading_torch(tmp_path: Path) -> None:
    code = (
        "import sys, runpy; sys.argv = ['run.py', '--version']; "
        f"sys.path.insert(0, {str(ROOT)!r}); runpy.run_path({str(ROOT / 'run.py')!r}, "
        "run_name='__main__'); print('torch' in sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert process.stdout.splitlines() == [versions(), "False"]
    assert process.stderr == ""
    assert list(tmp_path.iterdir()) == []
