from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nst.command.configs import CONF
from nst.command.help.lists import first_comment
from nst.command.help.pages import answered, asked, everything, first_page
from nst.command.help.topics import topic
from nst.config import GROUPS, documented_keys
from nst.errors import InputError
from tests.end_to_end.test_run import ROOT, run


def test_the_first_page_is_one_screen() -> None:
    lines = first_page().splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


def test_the_first_page_has_five_commands_and_ten_keys_with_their_defaults() -> None:
    page = first_page()
    assert page.count("\n  python run.py") == 5
    keys = re.findall(r"(?m)^  (\w+) +(\S+) {2,}\S", page.partition("study=")[2])
    assert len(keys) == 10
    assert {("content", "astronaut"), ("size", "512"), ("backbone", "vgg16_mini")} < set(keys)
    for name, default in keys:
        key = documented_keys().get(name)
        assert key or name in GROUPS
        assert key is None or key.default is None or str(key.default) == default


def test_the_first_page_has_no_formula() -> None:
    assert not re.search(r"[·²ΣαβΔ^_]\d|\$|\\|[Σα-ω²]", first_page())


def test_everything_is_every_key_and_every_choice() -> None:
    words = " ".join(everything().split())
    for key in documented_keys().values():
        assert f" {key.name} {key.text}" in words
    for group in GROUPS:
        for file in (CONF / group).glob("*.yaml"):
            assert f" {file.stem} {' '.join(first_comment(file).split())}" in words
    assert max(map(len, everything().splitlines())) <= 80


@pytest.mark.parametrize("flag", ["--help", "-h", "--hel"])
def test_help_alone_is_the_first_page(flag: str) -> None:
    assert asked([flag]) == first_page()
    assert asked([flag, "--cfg", "job"]) == first_page()  # what Hydra would print is left out


@pytest.mark.parametrize("line", ["--help strength", "strength --help", "--help=strength"])
def test_help_on_one_thing(line: str) -> None:
    assert asked(line.split()) == topic("strength")


def test_help_explains_every_word_beside_it() -> None:
    page = asked(["-m", "content=a.jpg,b.jpg", "size=64", "--help"])
    assert page == "\n\n".join(map(topic, ("-m", "content", "size")))


def test_help_all() -> None:
    assert asked(["--help", "all"]) == everything()


@pytest.mark.parametrize(
    "line", ["", "size=64", "--hydra-help", "-m seed=0,1", "--cfg job", "-sc query=bash"]
)
def test_other_command_lines_ask_for_no_page(line: str) -> None:
    assert asked(line.split()) is None
    assert not answered(line.split())


def test_a_page_speaks_of_the_program_as_it_was_called(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for called, program in [
        ("/bin/nst", "nst"),
        ("../run.py", "python run.py"),
        ("/lib/nst/__main__.py", "python -m nst"),
    ]:
        monkeypatch.setattr("sys.argv", [called, "--help"])
        assert answered(["--help"])
        assert f"\n  {program} content=me.jpg" in capsys.readouterr().out


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean strength"):
        asked(["--help", "strenth"])


def test_it_ends_with_status_2_and_one_line(tmp_path: Path) -> None:
    process = run("--help", "strenth", cwd=tmp_path)
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr == (
        "error: --help strenth: no key, group or choice has this name; did you mean strength?\n"
    )
    assert not list(tmp_path.iterdir())


def test_a_reader_who_has_seen_enough_may_leave(tmp_path: Path) -> None:
    """As `run.py --help all | head`."""
    command = [sys.executable, str(ROOT / "run.py"), "--help", "all"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
