"""The commands and the code of the documentation run as they stand there."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

import nst
import nst.losses
from experiments.artist_figures import MOST_BYTES
from experiments.backbone.settings import NarrowConfig, TrainConfig
from nst.command.configs import CONF, register
from nst.command.help import reference
from nst.command.help.pages import first_page
from nst.command.line.keys import unknown_key
from nst.command.line.pictures import expanded
from nst.command.line.repeat import KEY as REPEAT
from nst.command.plan import expand_sweep, study_params
from nst.config import GROUPS, OPEN_KEYS, documented_keys
from nst.losses.layer_loss import Role
from nst.losses.registry import losses, option_fields

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
GUIDE = ROOT / "CONTRIBUTING.md"
PAGES = [README, GUIDE, ROOT / "CHANGELOG.md", ROOT / "outputs" / "README.md"]
PAGES += [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "nst/backbones/shipped/README.md"]
QUICK = ["optimizer.steps=1", "logger=none", "device=cpu", "snapshot_every=0", "passes=[]"]
PICTURES = (
    "me.jpg",
    "painting.jpg",
    "tubingen.jpg",
    "starry_night.jpg",
    "photos/1.jpg",
    "photos/2.jpg",
    "frame_1.png",
    "frame_2.png",
    "painted_1.png",
)


def blocks(page: Path, language: str) -> Iterator[str]:
    """The fenced blocks of a page, also those within a list."""
    text = page.read_text(encoding="utf-8")
    for block in re.finditer(rf"(?ms)^( *)```{language}\n(.*?)^\1```", text):
        yield textwrap.dedent(block[2])


def commands(page: Path) -> list[str]:
    """What a page tells its reader to type; of text blocks only whole commands of the program."""
    lines = [line.strip() for block in blocks(page, "bash") for line in block.splitlines()]
    texts = [line for block in blocks(page, "text") for line in block.splitlines()]
    lines += [line for line in texts if line.startswith("python run.py")]
    return [line for line in lines if line and not line.startswith("#")]


def help_commands() -> list[str]:
    lines = re.findall(r"(?m)^ +(python run\.py.*)", first_page())
    return [re.split(r"\s{2,}", line)[0] for line in lines]


ALL = list(dict.fromkeys([*help_commands(), *(c for page in PAGES for c in commands(page))]))
OTHER = [command for command in ALL if not command.startswith("python run.py")]
EXPERIMENTS = [command for command in OTHER if "python -m experiments." in command]
RUNS = [
    command if command in commands(README) else pytest.param(command, marks=pytest.mark.slow)
    for command in ALL
    if command.startswith("python run.py")
]


def test_the_pages_have_commands() -> None:
    assert len(RUNS) >= 30
    assert len([c for c in commands(README) if c.startswith("python run.py")]) >= 4


@pytest.mark.parametrize("command", RUNS)
def test_every_documented_run_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every job, small and short; of a large sweep the first and the last."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in (picture for picture in PICTURES if f"output={picture}" not in command):
        Image.linear_gradient("L").save(tmp_path / name)
    arguments = expanded(shlex.split(command.replace("SQUEEZENET.pth", "random"))[2:])
    assert not [unknown_key(argument) for argument in arguments if unknown_key(argument)]
    sweep = "-m" in arguments
    overrides = [argument for argument in arguments if argument != "-m"]
    jobs = planned(overrides) if sweep else [overrides]
    assert (len(jobs) > 1) == sweep
    for number, job in enumerate(jobs if len(jobs) <= 4 else [jobs[0], jobs[-1]]):
        cfg = nst.compose(*job, *small(job))
        record = nst.run_job(cfg, nst.Context(tmp_path / str(number)))
        assert record["status"] == "completed"


def planned(overrides: list[str]) -> list[list[str]]:
    """The jobs of a sweep, a study's axes among them."""
    register()
    single = [override for override in overrides if not expand_sweep([override])[1:]]
    single = [override for override in single if not override.startswith(OPEN_KEYS)]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        params = study_params(compose("config", single), overrides)
    return expand_sweep([*(f"{k}={v}" for k, v in params.items()), *overrides])


def small(job: list[str]) -> list[str]:
    """Overrides that make a job quick, and need no download and no clustering."""
    coarse = any(override.startswith("coarse_scales=[") for override in job)
    quick = [*QUICK, "size=64" if coarse else "size=32"]
    network = [o for o in job if o.startswith(("preset=", "backbone=")) and "_mini" not in o]
    offline = not network or any(o.startswith("backbone=") and "_mini" in o for o in job)
    return quick if offline else [*quick, "backbone.weights=random"]


@pytest.mark.parametrize("command", OTHER)
def test_other_commands_name_what_exists(command: str) -> None:
    """Set-up commands run in ``.ci/run`` and in a fresh clone."""
    known = ("pip install -e", "pytest", "scripts/check", "python -m nst.", "wandb sync ")
    assert command.startswith((*known, "python -m experiments.", "python -m tests.")), command
    for module in re.findall(r"python -m ([\w.]+)", command):
        spec = find_spec(module)
        assert spec is not None, module
        if spec.submodule_search_locations is not None:
            assert find_spec(f"{module}.__main__"), f"{module} is no program"
    overrides = command.partition("--override ")[2].replace("VGG16.safetensors", "random").split()
    assert not overrides or nst.compose(*overrides)


@pytest.mark.slow
@pytest.mark.parametrize("command", EXPERIMENTS)
def test_experiments_have_the_options_that_are_documented(command: str) -> None:
    words = shlex.split(command.partition("python -m ")[2])
    program = [sys.executable, "-m", words[0], "--help"]
    text = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for option in (word for word in words if word.startswith("--")):
        assert option in text, f"{words[0]} has no {option}"


def test_python_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()  # as in a checkout
    examples = [code for page in PAGES if page != GUIDE for code in blocks(page, "python")]
    assert len(examples) >= 2
    for code in examples:
        exec(compile(code, "documentation", "exec"), {})
    assert (tmp_path / "outputs" / "texture.png").is_file()
    assert (tmp_path / "outputs" / "swirl" / "record.json").is_file()


def test_the_loss_of_the_guide_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``CONTRIBUTING.md``, "Add a loss", step 1 and 2 to the letter, in a folder of its own."""
    (code,), (settings,) = blocks(GUIDE, "python"), blocks(GUIDE, "yaml")
    (tmp_path / "mean_std.py").write_text(code, encoding="utf-8")
    (tmp_path / "conf" / "loss").mkdir(parents=True)
    (tmp_path / "conf" / "loss" / "mean_std.yaml").write_text(settings, encoding="utf-8")
    monkeypatch.setattr(nst.losses, "__path__", [*nst.losses.__path__, str(tmp_path)])
    losses.cache_clear()
    try:
        where = f"hydra.searchpath=['{(tmp_path / 'conf').as_uri()}']"
        cfg = nst.compose(where, "loss=mean_std", "optimizer.steps=20", "size=48", "device=cpu")
        style = [float(p.terms[0].sum()) for p in nst.Transfer(cfg).run()]
    finally:
        losses.cache_clear()
        sys.modules.pop("nst.losses.mean_std", None)
    assert style[-1] < 0.5 * style[0]


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").split()) <= 900


def test_the_reference_is_what_its_program_writes() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == reference.page(), "python -m nst.command.help.reference docs/configuration.md"


def test_the_map_names_every_module() -> None:
    text = next(block for block in blocks(GUIDE, "text") if "nst/errors.py" in block)
    packages = [file.parent for file in (ROOT / "nst").glob("*/__init__.py")]
    for package in [*packages, ROOT / "experiments" / "backbone"]:
        name = package.relative_to(ROOT).as_posix()
        section = re.search(rf"(?m)^{name}/.*\n(?:  .*\n)*", text)
        assert section, f"{name}/"
        named = set(re.findall(r"\w+", section[0]))
        modules = {file.stem for file in package.glob("[a-z]*.py")}
        assert modules <= named, f"{name}: {sorted(modules - named)}"


def test_links_and_pictures_exist() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if target.startswith("http"):
                continue
            name, _, anchor = target.partition("#")
            other = page.parent / name if name else page
            assert other.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(other), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """What a link into a page may name, as GitHub makes it of the headings."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_pictures_are_small_and_used() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for picture in (ROOT / "docs").rglob("*.[jp][pn]g"):
        assert picture.stat().st_size < 600_000, picture.name
        assert picture.name in text, f"no page shows {picture.name}"
    for picture in (ROOT / "docs" / "images").glob("artists_*"):
        assert picture.stat().st_size < MOST_BYTES, picture.name


def test_keys_named_in_the_pages_exist() -> None:
    configs = (TrainConfig, NarrowConfig)
    training = {item.name for config in configs for item in dataclasses.fields(config)}
    training |= {"weights.teacher", "weights.identity"}
    placeholders = {
        "key",
        "group",
        "report.html",
        REPEAT,
        "install",
    }  # the latter are no keys of the config
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = re.findall(r"`(?:[^`\n]*\s)?([a-z_]+(?:\.[a-z_0-9]+)*)=[^`]*`", text)
        named += re.findall(rf"`((?:{'|'.join(sections())})\.[a-z_0-9.]+)`", text)
        for key in named:
            known = is_key(key) or key in training | placeholders or key.startswith("hydra")
            assert known, f"{page.name}: {key}"


def sections() -> set[str]:
    return {key.partition(".")[0] for key in documented_keys() if "." in key}


def is_key(name: str) -> bool:
    """Whether the config has such a key, or a loss such an option."""
    return name in {*documented_keys(), *GROUPS, *sections()} or name in loss_options()


def loss_options() -> set[str]:
    """Every key below ``loss.content``, ``loss.style`` and ``loss.pixels``."""
    known = set()
    for role in get_args(Role):
        for name, loss in losses(role).items():
            place = f"loss.pixels.{name}" if role == "pixels" else f"loss.{role}"
            known |= {place, f"{place}.name", f"{place}.weight"}
            known |= {f"{place}.{option}" for option in option_fields(loss)}
    return known


def test_the_public_names_are_those_of_the_readme() -> None:
    (code,) = blocks(README, "python")
    used = set(re.findall(r"\bnst\.(\w+)", code)) - {"pictures"}
    assert used <= set(nst.__all__)
    assert all(hasattr(import_module("nst"), name) for name in nst.__all__)
