from __future__ import annotations

import pytest

from nst.command.configs import CONF
from nst.command.help.lists import (
    default_choices,
    first_comment,
    help_groups,
    help_keys,
    help_samples,
)
from nst.config import GROUPS, documented_keys
from nst.config.samples import SAMPLES


def test_every_group_and_choice_is_listed_with_what_it_says_of_itself() -> None:
    words = " ".join(help_groups(CONF).split())
    for group, meaning in GROUPS.items():
        assert f"{group}: {meaning}" in words
        for file in (CONF / group).glob("*.yaml"):
            assert f"{file.stem} {' '.join(first_comment(file).split())}" in words


def test_defaults_are_marked() -> None:
    chosen = [choice for choice in default_choices(CONF).values() if choice]
    assert {"vgg16_mini", "lbfgs", "balanced"} < set(chosen)
    assert help_groups(CONF).count("(default)") == len(chosen)


def test_every_key_is_explained_with_its_values() -> None:
    words = " ".join(help_keys().split())
    for key in documented_keys().values():
        assert f"{key.name} {key.text}" in words
    assert "[transfer, content, texture]" in words


def test_every_sample_is_named() -> None:
    assert all(f" {sample} " in f" {help_samples()} " for sample in SAMPLES)


@pytest.mark.parametrize("text", [help_groups(CONF), help_keys(), help_samples()])
def test_lines_fit_a_terminal(text: str) -> None:
    assert max(map(len, text.splitlines())) <= 80
