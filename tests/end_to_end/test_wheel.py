"""The wheel: complete, and usable from any folder without the checkout."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from nst.runs.recording.read import load_runs
from tests.end_to_end.test_run import QUICK, ROOT, start

pytestmark = pytest.mark.slow

PACKAGES = ("nst", "experiments", "conf")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, without a network."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip(source, "wheel", "--no-build-isolation", "--wheel-dir", str(source), ".")
    (built,) = source.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed wheel, its script in ``bin/``."""
    folder = tmp_path_factory.mktemp("site")
    pip(folder, "install", "--target", str(folder), str(wheel))
    return folder


def pip(cwd: Path, command: str, *arguments: str) -> None:
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    start_pip = [sys.executable, "-m", "pip", command, *options, *arguments]
    process = start(start_pip, cwd, {})
    assert process.returncode == 0, process.stderr


def nst(site: Path, cwd: Path, *arguments: str, script: bool = False) -> str:
    """Run the installed program; what it printed."""
    module = [sys.executable, "-m", "nst"]
    command = [sys.executable, str(site / "bin" / "nst")] if script else module
    process = start([*command, *arguments], cwd, {"PYTHONPATH": str(site)})
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    """Modules, configs, shipped weights, the report's template and ``py.typed``."""
    files = [file for name in PACKAGES for file in (ROOT / name).rglob("*") if file.is_file()]
    names = {file.relative_to(ROOT).as_posix() for file in files if file.suffix != ".pyc"}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == {f"nst/{name}" if name.startswith("conf/") else name for name in names}


@pytest.mark.parametrize("script", [True, False])
def test_a_run_of_ones_own_pictures(site: Path, tmp_path: Path, script: bool) -> None:
    Image.radial_gradient("L").save(tmp_path / "me.png")
    Image.linear_gradient("L").save(tmp_path / "painting.png")
    pictures = ("content=me.png", "style=painting.png")
    nst(site, tmp_path, *pictures, *QUICK, "logger=none", script=script)
    table = load_runs(tmp_path / "outputs")
    assert table["status"].tolist() == ["completed"]
    assert table["commit"].tolist() == [None]


def test_it_is_the_wheel_that_runs(site: Path, tmp_path: Path) -> None:
    code = "import nst, experiments, nst.command.configs as c; print(nst.__file__, c.CONF)"
    process = start([sys.executable, "-c", code], tmp_path, {"PYTHONPATH": str(site)})
    assert process.stdout.split() == [str(site / "nst" / "__init__.py"), str(site / "nst" / "conf")]


def test_the_help_lists_what_the_wheel_holds(site: Path, tmp_path: Path) -> None:
    page = nst(site, tmp_path, "--help", "all")
    assert "layer_ablation" in page
    assert "Style as Gram matrices" in nst(site, tmp_path, "--help", "loss.style")
    assert "loss.style_weight" in page


def test_a_study_has_its_report(site: Path, tmp_path: Path) -> None:
    study = ("study=layer_ablation", "study.size=quick", "content_layer=conv_1,conv_4")
    printed = nst(site, tmp_path, "-m", *study, *QUICK, "logger=none", "hydra.sweep.dir=swept")
    assert "report: swept/report.html" in printed
    assert "layer_ablation" in (tmp_path / "swept" / "report.html").read_text(encoding="utf-8")
