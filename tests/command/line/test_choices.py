"""What is no choice of a group: other groups' choices, and what should have been a key."""

from __future__ import annotations

import re

import pytest

import nst
from nst.command.line.choices import choices
from nst.config import GROUPS
from nst.errors import InputError


def complaint(*overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        nst.compose(*overrides)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        ("backbone=my.pth", "backbone.weights=my.pth"),
        ("backbone=weights/my.caffemodel", "backbone.weights=weights/my.caffemodel"),
        ("backbone=/models/my.pth", "backbone.weights=/models/my.pth"),
        ("backbone=kmeans", "backbone.weights=kmeans"),
        ("backbone=avg", "backbone.pooling=avg"),
        ("backbone=VGG19", "backbone=vgg19"),
        ("backbone=vgg-19", "backbone=vgg19"),
        ("loss=tv", "loss.tv_weight=1"),
        ("loss=gram", "loss.style=gram"),
        ("loss=features", "loss.content=features"),
        ("loss=150", "loss.style_weight=150"),
        ("optimizer=500", "optimizer.steps=500"),
        ("optimizer=0.02", "optimizer.lr=0.02"),
        ("optimizer=L-BFGS", "optimizer=lbfgs"),
        ("init=random", "init=noise"),
        ("init=0.1", "init.amplitude=0.1"),
        ("init=astronaut", "init=image init.image=astronaut"),
        ("init=me.jpg", "init=image init.image=me.jpg"),
        ("layers=conv4_2", "content_layer=conv4_2"),
        ("layers=conv_1-5", "style_layers=conv_1-5"),
        ("layers=[conv_1,conv_2]", "style_layers=[conv_1,conv_2]"),
        ("logger=online", "logger.mode=online"),
        ("logger=false", "logger=none"),
        ("study=quick", "study.size=quick"),
        ("preset=vgg19", "backbone=vgg19"),
        ("optimizer=balanced", "loss=balanced"),
        ("loss=adam", "optimizer=adam"),
        ("style_layers=gatys2015", "layers=gatys2015"),
        ("content=vgg19", "backbone=vgg19"),
        ("style=lbfgs", "optimizer=lbfgs"),
    ],
)
def test_a_value_in_the_wrong_place_leads_to_the_right_one(argument: str, answer: str) -> None:
    assert f"; did you mean {answer}?" in complaint(argument)


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        ("preset=gatys", "gatys2015"),
        ("preset=gat", "gatys2015"),
        ("preset=keras", "chollet_keras"),
        ("preset=tutorial", "pytorch_tutorial"),
        ("loss=neural", "neural_style"),
        ("layers=fastai", "fastai_lesson8"),
        ("study=ablation", "layer_ablation"),
        ("optimizer=lbgfs", "lbfgs"),
    ],
)
def test_a_part_of_a_choice_is_enough_to_be_told_it(argument: str, answer: str) -> None:
    text = complaint(argument)
    assert re.search(rf"no such choice; did you mean {answer}\? \(", text)


def test_what_leads_nowhere_lists_the_choices() -> None:
    text = complaint("backbone=zebra")
    assert "did you mean" not in text
    assert all(choice in text for choice in choices()["backbone"])


def test_every_group_has_choices() -> None:
    assert all(choices()[group] for group in GROUPS)


def test_pictures_and_layers_that_share_a_choices_name_are_what_they_are() -> None:
    assert nst.compose("style=mosaic", "style_layers=[conv_1,conv_2]").style == "mosaic"
