"""Flags, words without an equals sign, and what is written as in other programs."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from nst.command.line.arguments import prepared
from nst.errors import InputError


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def complaint(line: str) -> str:
    """What a person sees of a command line, as a shell takes it apart."""
    with pytest.raises(InputError) as caught:
        prepared(shlex.split(line))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--hlep", "--hlep: no such flag; did you mean --help?"),
        ("--multi-run seed=0,1", "--multi-run: no such flag; did you mean --multirun?"),
        ("--versoin", "did you mean --version?"),
        ("--zebra", "--zebra: no such flag (--help lists the keys, --hydra-help the flags)"),
        ("--stpes 3", "did you mean optimizer.steps? (a key has no dashes: key=value)"),
        ("--cfg", "--cfg: expected one of job, hydra, all"),
        ("--cfg jb", "--cfg jb: expected one of job, hydra, all"),
        ("--cfg=jb", "--cfg=jb: expected one of job, hydra, all"),
        ("--info nothing", "--info nothing: expected one of all, config"),
        ("--config-name", "--config-name: expected a value"),
        ("--multirun=3", "--multirun=3: expected no value"),
        ("-m --cfg job", "-m --cfg: expected one of these flags at a time"),
        ("--resolve size=64", "--resolve: expected --cfg job beside it"),
        ("--shell-completion", "--shell-completion: expected install=bash"),
        ("--experimental-rerun x", "--experimental-rerun x: no such file"),
        ("-sc install=cmd", "--shell-completion: expected install=bash"),
    ],
)
def test_a_flag_that_cannot_be_says_what_would_be_right(line: str, message: str) -> None:
    assert message in complaint(line)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("--content me.jpg", "content=me.jpg"),
        ("--content=me.jpg", "content=me.jpg"),
        ("--size 256", "size=256"),
        ("-size 256", "size=256"),
        ("--image-size 256 optimizer=adam", "size=256"),
        ("--content 'my cat.jpg'", "'content=my cat.jpg'"),
        ("--content me.jpg --style p.jpg --size 256", "content=me.jpg style=p.jpg size=256"),
        ("-content_image a.jpg -num_iterations 9 -gpu 0", "content=a.jpg optimizer.steps=9 "),
        ("-gpu -1", "device=cpu"),
        ("--style_layers relu1_1 relu2_1", "'style_layers=[relu1_1,relu2_1]'"),
        ("--verbose", "verbose=true"),
        ("--cuda", "device=cuda"),
        ("--no-wandb", "logger=none"),
        ("--steps", "optimizer.steps=…"),
        ("-pooling avg", "backbone.pooling=avg"),
        ("-init random", "init=random"),
    ],
)
def test_options_of_other_programs_are_answered_by_keys(line: str, answer: str) -> None:
    text = complaint(line)
    assert "a key is written without dashes, as key=value; did you mean" in text
    assert f"did you mean {answer}" in text


def test_an_option_for_which_there_is_no_key_says_so() -> None:
    assert complaint("--size 256 --original-colors 1").startswith("--original-colors: no key keeps")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("help", "help: expected key=value; did you mean --help?"),
        ("version", "did you mean --version?"),
        ("zebra", "zebra: expected key=value, as size=256 (--help lists the keys)"),
        ("me.jpg painting.jpg", "did you mean content=me.jpg style=painting.jpg?"),
        ("'my cat.jpg'", "did you mean 'content=my cat.jpg'?"),
        ("chelsea", "did you mean content=chelsea?"),
        ("swirl", "did you mean style=swirl?"),
        ("content=me.jpg painting.jpg", "painting.jpg: expected key=value; did you mean style="),
        ("content=a.jpg style=b.jpg c.jpg", "c.jpg: expected key=value, as size=256"),
        ("me.jpg zebra", "zebra: expected key=value, as size=256"),
        ("vgg19 texture", "did you mean backbone=vgg19 task=texture?"),
        ("gatys2015", "did you mean preset=gatys2015?"),
        ("size 256", "size 256: a key and its value are one word; write size=256"),
        ("size = 256", "write size=256"),
        ("size= 256", "write size=256"),
        ("size =256", "write size=256"),
        ("size: 256", "write size=256"),
        ("size:256", "write size=256"),
        ("seed=3 content me.jpg", "write content=me.jpg"),
        ("style_layers=[conv_1, conv_2]", "write 'style_layers=[conv_1, conv_2]'"),
        ("-1", "-1: expected key=value"),
    ],
)
def test_words_without_an_equals_sign_are_answered(line: str, message: str) -> None:
    assert message in complaint(line)


def test_a_file_whose_name_the_shell_took_apart_is_put_together() -> None:
    Path("my old cat.jpg").write_bytes(b"a picture")
    text = complaint("content=my old cat.jpg size=64")
    assert text.endswith("the shell takes what has spaces apart; write 'content=my old cat.jpg'")


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        ("size=64 -m seed=0,1", "-m size=64 seed=0,1"),
        ("size=64 --cfg job seed=1", "--cfg job size=64 seed=1"),
        ("--info size=64", "--info size=64"),
        ("--info defaults size=64", "--info defaults size=64"),
        ("-cjob --res size=64", "-cjob --res size=64"),
        ("--config-name=train_backbone size=64", "--config-name=train_backbone size=64"),
        ("-cn train_backbone", "-cn train_backbone"),
        ("--multi seed=0,1", "--multi seed=0,1"),
        ("~preset -m", "-m ~preset"),
        ("-sc install=bash", "-sc install=bash"),
        ("--help backbone", "--help backbone"),
        ("--help-all zebra", "--help-all zebra"),
        ("-h", "-h"),
    ],
)
def test_hydras_own_flags_stay_and_come_first(line: str, taken: str) -> None:
    assert prepared(line.split()) == taken.split()
