"""The commands and the code of the documentation run as they stand there."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from experiments.backbone.train import TrainConfig
from nst import config
from nst.command import cli
from nst.config import documented_keys
from nst.runs.job import Context, run_job

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "outputs" / "README.md"]
PAGES += [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "nst" / "weights" / "README.md"]
QUICK = ["size=32", "optimizer.steps=1", "logger=none", "device=cpu", "snapshot_every=0"]


def blocks(language: str) -> list[str]:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.M | re.S)


def commands() -> list[str]:
    lines = [line.strip() for block in blocks("bash") for line in block.splitlines()]
    help_page = (ROOT / "conf" / "config.yaml").read_text(encoding="utf-8")
    lines += [
        re.split(r"\s{2,}", found)[0]
        for found in re.findall(r"(?m)^ +(python run\.py.*)", help_page)
    ]
    return sorted({line for line in lines if line and not line.startswith("#")})


RUNS = [command for command in commands() if command.startswith("python run.py")]
OTHER = [command for command in commands() if command not in RUNS]


@pytest.mark.parametrize("command", RUNS)
def test_commands(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job of every documented ``python run.py``, small and short."""
    monkeypatch.chdir(tmp_path)
    for name in ("me.jpg", "painting.jpg"):
        Image.linear_gradient("L").save(tmp_path / name)
    arguments = shlex.split(command)[2:]
    if "--help" in arguments:
        return  # tests/end_to_end
    cli.explain_unknown_keys(arguments)
    sweep = "-m" in arguments
    overrides = [argument for argument in arguments if argument != "-m"]
    jobs = planned(overrides) if sweep else [overrides]
    assert (len(jobs) > 1) == sweep, command
    if len(jobs) > 8:  # of the large studies the first and the last
        jobs = [jobs[0], jobs[-1]]
    for number, job in enumerate(jobs):
        quick = [*QUICK, "passes=[]"]
        if any(o.startswith("preset=") for o in job) and "backbone=vgg19_mini" not in job:
            quick.append("backbone.weights=random")  # the real ones are a download
        with initialize_config_dir(str(cli.CONF), version_base="1.3"):
            cfg = config.from_omegaconf(compose("config", [*job, *quick]))
        record = run_job(cfg, Context(tmp_path / str(number)))
        assert record["status"] == "completed"


def planned(overrides: list[str]) -> list[list[str]]:
    """The jobs of a sweep, a study's axes among them."""
    single = [override for override in overrides if "," not in override]
    with initialize_config_dir(str(cli.CONF), version_base="1.3"):
        params = cli.study_params(compose("config", single), overrides)
    return cli.expand_sweep([*(f"{k}={v}" for k, v in params.items()), *overrides])


def test_there_are_commands() -> None:
    assert len(RUNS) >= 12


@pytest.mark.parametrize("command", OTHER)
def test_other_commands_exist(command: str) -> None:
    """Set-up commands run in ``.ci/run`` and in a fresh clone; here: what they name is there."""
    known = ("pip install -e", "pytest", "scripts/check", "python -m experiments.", "wandb sync ")
    assert command.startswith(known), command
    for module in re.findall(r"python -m (experiments\.\w+)", command):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file()


def test_python_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with initialize_config_dir(str(cli.CONF), version_base="1.3"):
        cfg = config.from_omegaconf(compose("config", QUICK))
    run_job(cfg, Context(tmp_path / "outputs" / "run"))
    examples = blocks("python")
    assert len(examples) >= 2
    for code in examples:
        exec(compile(code, "documentation", "exec"), {})
    assert (tmp_path / "texture.png").is_file()


def test_links_and_pictures_exist() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_keys_named_in_the_pages_exist() -> None:
    training = {item.name for item in dataclasses.fields(TrainConfig)} | {"weights.teacher"}
    known = set(documented_keys()) | set(config.GROUPS) | training
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for key in re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)=[^`]*`", text):
            assert key in known or key.startswith("hydra"), f"{page.name}: {key}"


def test_no_number_is_missing() -> None:
    for page in PAGES:
        assert not re.findall(r"@\w+@", page.read_text(encoding="utf-8")), page.name


def test_pictures_are_small() -> None:
    for picture in (ROOT / "docs").rglob("*.[jp][pn]g"):
        assert picture.stat().st_size < 600_000, picture.name
