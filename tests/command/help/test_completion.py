from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nst.command.configs import CONF
from nst.command.help.completion import answered, candidates
from nst.config import GROUPS, documented_keys
from nst.config.samples import SAMPLES
from tests.end_to_end.test_run import ROOT


def test_a_new_word_may_be_any_key_or_group() -> None:
    names = candidates("nst ")
    assert {f"{group}=" for group in GROUPS} < set(names)
    assert {f"{key}=" for key in documented_keys() if "." not in key} < set(names)
    assert {"optimizer.", "report.", "loss."} < set(names)
    assert len(names) == len(set(names))


def test_names_go_on_below_a_dot() -> None:
    assert candidates("nst optimizer.st") == ["optimizer.steps="]
    assert "loss.style.activation_shift=" in candidates("python run.py loss.style.")
    assert candidates("nst backb") == ["backbone.", "backbone="]


def test_choices_of_a_group() -> None:
    files = sorted(f"backbone={file.stem}" for file in (CONF / "backbone").glob("*.yaml"))
    assert candidates("nst backbone=") == files
    assert candidates("nst preset=ga") == ["preset=gatys2015", "preset=gatys_notebook"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("task=te", ["task=texture"]),
        ("resume=", ["resume=false", "resume=true"]),
        ("report=f", ["report=false"]),
        ("size=", ["size=512"]),
        ("loss.style=", ["loss.style=gram", "loss.style=wasserstein2"]),
        ("content_layer=pool_5", ["content_layer=pool_5"]),
        ("backbone=squeezenet1_0 content_layer=fire9", ["content_layer=fire9"]),
        ("-m hydra/launcher=b", ["hydra/launcher=basic", "hydra/launcher=batched"]),
        ("-m style=swirl,in", ["style=swirl,ink"]),
        ("--hel", ["--help"]),
        ("--help stre", ["strength="]),
        ("loss.style.activation_shift=0.3 siz", ["size="]),
        ("nonsense=", []),
        ("optimizer.steps=", []),
    ],
)
def test_values_by_name(
    line: str, answer: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert candidates(f"nst {line}") == answer


def test_pictures_are_samples_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("me.JPG", "notes.txt", ".hidden.png", "photos/one.png", "photos/größe.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    plain = sorted([*SAMPLES, "me.JPG", "photos/"])
    assert candidates("nst content=") == [f"content={name}" for name in plain]
    assert candidates("nst style=photos/") == ["style=photos/größe.png", "style=photos/one.png"]
    assert candidates("nst -m content=me.JPG,ph") == ["content=me.JPG,photos/"]
    assert candidates("nst backbone.weights=no") == ["backbone.weights=notes.txt"]
    assert candidates("nst content=nowhere/") == []


def test_names_that_a_shell_would_run_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a$(touch b).png", "a b.png", "a`b`.png", "a;b.png", "a.png"):
        (tmp_path / name).touch()
    assert candidates("nst content=a") == ["content=a.png", "content=astronaut"]


def test_a_line_is_completed_where_the_cursor_is(capsys: pytest.CaptureFixture[str]) -> None:
    line = {"COMP_LINE": "nst task=te size=64", "COMP_POINT": "11"}
    assert answered(["-sc", "query=bash"], line)
    assert capsys.readouterr().out == "task=texture\n"
    assert answered(["-sc", "query=fish"], {"COMP_LINE": "nst init=s"})
    assert capsys.readouterr().out == "init=smooth_noise\ninit=style\n"


@pytest.mark.parametrize("arguments", [["size=64"], ["-sc", "install=bash"], ["query=bash"]])
def test_other_command_lines_ask_for_no_candidates(arguments: list[str]) -> None:
    assert not answered(arguments, {"COMP_LINE": "nst "})


def bash(script: str, folder: Path) -> str:
    """What a shell prints, in which ``nst`` and ``python run.py`` are this checkout's."""
    program = folder / "bin" / "nst"
    program.parent.mkdir()
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom nst.command.main import main"
    program.write_text(f"#!{sys.executable}\n{code}\nmain()\n")
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), str(Path(sys.executable).parent)])
    return subprocess.run(
        ["bash", "--norc", "-c", script], cwd=ROOT, check=True, text=True,
        capture_output=True, env={**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"},
    ).stdout  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("nst backbone=vgg16_m", "backbone=vgg16_mini"),
        ("nst strengt", "strength="),
        ("nst content=docs/imag", "content=docs/images/"),
        ("python run.py -m style=swirl,in", "style=swirl,ink"),
    ],
)
def test_bash_completes_a_word(line: str, answer: str, tmp_path: Path) -> None:
    """The documented line, then what bash calls when Tab is pressed."""
    program = line.partition(" -m")[0] if line.startswith("python") else "nst"
    script = f"""
eval "$({program} -sc install=bash)"
COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}; COMP_CWORD={len(line.split()) - 1}
hydra_bash_completion
printf '%s\\n' "${{COMPREPLY[@]}}"
complete -p {program.split()[0]}
"""
    printed = bash(script, tmp_path).splitlines()
    assert printed[0] == answer
    assert printed[-1].endswith(f"-F hydra_bash_completion {program.split()[0]}")
