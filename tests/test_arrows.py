"""Arrows point one way, and what must answer at once loads neither torch nor W&B."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = (
    *("errors", "durable", "config", "pictures", "backbones", "losses", "judges", "optimizers"),
    *("gradients", "runs", "reports", "command", "experiments"),
)
MODULES = {"losses": 30, "reports": 12}
"""At most ten in a package, but for these: a loss is a file, and one that is not to grow."""


def place(file: Path) -> str:
    """The folder of a file in the order: of nst, or experiments."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "nst" else parts[0]


def imported(file: Path) -> set[str]:
    """The folders that a file imports, at its top or anywhere else."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    ours = [name.split(".") for name in names if name.startswith(("nst.", "experiments."))]
    return {parts[1] if parts[0] == "nst" else parts[0] for parts in ours}


SINGLE = ("errors", "durable", "judges")
"""Modules beside the packages."""

FILES = [*(ROOT / "nst").glob("*/**/*.py"), *(ROOT / "nst" / f"{name}.py" for name in SINGLE)]
FILES += (ROOT / "experiments").rglob("*.py")


@pytest.mark.parametrize("file", sorted(FILES), ids=lambda f: str(f.relative_to(ROOT)))
def test_a_folder_imports_only_what_stands_before_it(file: Path) -> None:
    own = ORDER.index(place(file))
    assert [name for name in imported(file) if ORDER.index(name) > own] == []


def test_every_folder_has_its_place() -> None:
    packages = {file.parent.name for file in (ROOT / "nst").glob("*/__init__.py")}
    assert packages == set(ORDER) - {*SINGLE, "experiments"}
    assert {f.stem for f in (ROOT / "nst").glob("*.py")} == {"__init__", "__main__", *SINGLE}


@pytest.mark.parametrize("name", sorted(set(ORDER) - {*SINGLE, "experiments"}))
def test_a_package_has_few_modules(name: str) -> None:
    modules = [f for f in (ROOT / "nst" / name).glob("*.py") if f.stem != "__init__"]
    assert len(modules) <= MODULES.get(name, 10)


def test_every_package_is_installed() -> None:
    """An editable install finds a package that is not listed; a wheel lacks it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(project["tool"]["setuptools"]["packages"]) - {"nst.conf"}
    folders = [
        f.parent for top in ("nst", "experiments") for f in (ROOT / top).rglob("__init__.py")
    ]
    assert listed == {".".join(folder.relative_to(ROOT).parts) for folder in folders}


def test_run_is_short() -> None:
    assert len((ROOT / "run.py").read_text(encoding="utf-8").splitlines()) <= 10


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        ("--help", "style_size"),
        ("--help=all", "backbone.pooling"),
        ("--help=loss.style", "Gram matrices"),
        ("sze=5", "did you mean size?"),
        ("optimizer=adm", "optimizer=adm: no such choice"),
        ("size=5", "size=5: expected a longest side"),
        ("content=astronot", "did you mean astronaut?"),
    ],
)
def test_help_and_typos_load_nothing_large(argument: str, answer: str) -> None:
    """The program as it is started, and what it had loaded at its end."""
    code = f"""
import atexit, runpy, sys
large = ("torch", "wandb", "pandas", "skimage")
atexit.register(lambda: print("loaded:", [name for name in large if name in sys.modules]))
sys.argv = ["run.py", {argument!r}]
runpy.run_path("run.py", run_name="__main__")
"""
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert answer in process.stdout + process.stderr
    assert process.stdout.splitlines()[-1] == "loaded: []"
