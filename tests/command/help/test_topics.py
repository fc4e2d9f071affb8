from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from PIL import Image

import nst
from nst.command.configs import CONF
from nst.command.help import examples
from nst.command.help.lists import first_comment
from nst.command.help.losses import losses_in_words
from nst.command.help.topics import default_of, topic
from nst.command.line.arguments import open_keys
from nst.command.line.keys import unknown_key
from nst.command.plan import expand_sweep
from nst.config import GROUPS, documented_keys
from nst.config.samples import SAMPLES
from nst.errors import InputError

CHOICES = [f"{group}={file.stem}" for group in GROUPS for file in (CONF / group).glob("*.yaml")]
OPTIONS = [f"{loss.key}.{option}" for loss in losses_in_words() for option in loss.options]
OTHERS = ["report", "repeat", "-m", "hydra/launcher"]
TOPICS = [*documented_keys(), *GROUPS, *CHOICES, *OPTIONS, *OTHERS]


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", TOPICS)
def test_every_page_fits_a_terminal_and_ends_with_an_example(name: str) -> None:
    page = topic(name)
    assert max(map(len, page.splitlines())) <= 80
    assert page.startswith(name)
    assert page.splitlines()[-1].startswith(("  Example: python run.py ", "      "))


@pytest.mark.parametrize("name", documented_keys())
def test_a_key_says_what_it_means_its_values_and_its_default(name: str) -> None:
    key, page = documented_keys()[name], words(topic(name))
    assert key.text in page
    assert f"values {key.expected} default" in page or not key.expected
    assert "default " in page


def test_the_default_is_that_of_a_run_without_arguments() -> None:
    assert "default  100\n" in topic("optimizer.steps")  # of lbfgs and a transfer
    assert "default  null\n" in topic("output")
    assert "default  false\n" in topic("resume")


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_lists_its_choices_and_the_keys_below_it(group: str) -> None:
    page = words(topic(group))
    assert f"{group}: {GROUPS[group]}" in page
    for file in (CONF / group).glob("*.yaml"):
        assert f"{file.stem} {words(first_comment(file))}" in page
    for key in documented_keys():
        assert not key.startswith(f"{group}.") or f" {key} " in page


def test_a_choice_says_what_it_sets() -> None:
    lines = [line.strip() for line in topic("preset=gatys2015").splitlines()]
    assert {"backbone=vgg19_caffe", "optimizer.steps=500", "init.amplitude=0.2"} <= set(lines)
    assert "study.sweep.full: loss.style_weight=500,50,5" in topic("study=weights")
    assert "optimizer.lr=0.02" in topic("optimizer=adam")
    assert "loss.style_layer_weights=mean" in topic("loss=balanced")
    assert "content_layer: by backbone.default_content_layer" in topic("layers=default")


def test_pictures_and_layers_are_named_where_they_can_stand() -> None:
    assert all(f" {sample} " in words(topic("content")) for sample in SAMPLES)
    assert "conv_13 (before ReLU)" in words(topic("content_layer"))


def test_a_loss_lists_its_names_and_options() -> None:
    page = words(topic("loss.style"))
    assert "gram: Style as Gram matrices" in page
    assert "loss.style.activation_shift share of the style's channel means" in page
    assert "Of the loss wasserstein2" in topic("loss.style.normalization")
    assert "Of the loss gram" in topic("loss.style.normalization")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("size=64", "size"),
        ("backbone=vgg16,vgg19", "backbone"),
        ("+strength=0.3", "strength"),
        ("~preset", "preset"),
        ("--multirun", "-m"),
        ("passes.scale", "passes"),
        ("optimizer.default_steps.texture", "optimizer.default_steps"),
        ("activation_shift", "loss.style.activation_shift"),
        ("gram", "loss.style"),
        ("lr", "optimizer.lr"),
        ("vgg19_caffe", "backbone=vgg19_caffe"),
    ],
)
def test_names_as_people_write_them(word: str, name: str) -> None:
    assert topic(word) == topic(name)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("bakbone", "did you mean backbone?"),
        ("optimizer.step", "did you mean optimizer.steps?"),
        ("gatys2015", "there are layers=gatys2015, loss=gatys2015, preset=gatys2015"),
        ("optimizer=adm", "did you mean adam?"),
        ("xyz", "--help all"),
        ("hydra.run.dir", "--hydra-help"),
    ],
)
def test_an_unknown_name_is_one_line(word: str, message: str) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*$") as refusal:
        topic(word)
    assert message in str(refusal.value)


def all_examples() -> list[str]:
    keys = [examples.of_key(key, default_of(key.name)) for key in documented_keys().values()]
    choices = [examples.of_choice(*choice.split("=")) for choice in CHOICES]
    options = [
        examples.of_option(f"{loss.key}.{option}", default)
        for loss in losses_in_words()
        for option, (_, default) in loss.options.items()
    ]
    return list(dict.fromkeys([*keys, *choices, *options, *map(examples.of_section, GROUPS)]))


@pytest.mark.slow
@pytest.mark.parametrize("example", all_examples())
def test_every_example_composes(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for picture in ("me.jpg", "painting.jpg"):
        Image.linear_gradient("L").save(picture)
    overrides = [word for word in shlex.split(example) if word != "-m"]
    assert not [unknown_key(override) for override in overrides if unknown_key(override)]
    for job in expand_sweep(overrides):
        assert nst.compose(*job)


@pytest.mark.parametrize("example", all_examples())
def test_an_example_of_several_values_is_a_sweep(example: str) -> None:
    overrides = [word for word in shlex.split(example) if word != "-m"]
    sweep = len(expand_sweep(open_keys(overrides))) > 1 or "study=" in example
    assert ("-m" in example.split()) == sweep
