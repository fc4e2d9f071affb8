"""What ``strength`` does to a picture: less of the content, more of the style."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from nst.judges import held_out_judge
from nst.pictures.files import quantize
from nst.pictures.samples import load_image
from nst.runs.transfer import Transfer
from tests.conftest import Compose

PAIR = ("content=chelsea", "style=swirl", "size=64", "optimizer.steps=30")


def test_along_strength_content_is_lost_and_style_is_gained(composed: Compose) -> None:
    """In the eyes of a network that did not steer; all five are one batch."""
    strengths = ("0", "0.25", "0.5", "0.75", "1")
    cfgs = [composed(*PAIR, f"strength={strength}") for strength in strengths]
    *_, last = Transfer(*cfgs).run()
    judge, pictures = held_out_judge(["vgg16_mini"]), [quantize(each[None]) for each in last.images]
    content, style = load_image("chelsea", 64), load_image("swirl", 64)
    kept = [judge.content_kept(each, content) for each in pictures]
    distance = [judge.style_distance(each, style) for each in pictures]
    assert kept[0] > 0.95
    assert all(before > after + 0.02 for before, after in pairwise(kept))
    assert all(before > after for before, after in pairwise(distance))


@pytest.mark.parametrize("backbone", ["vgg16_mini", "vgg19_mini"])
def test_strength_0_leaves_the_photograph_as_it_is(backbone: str, composed: Compose) -> None:
    *_, last = Transfer(composed(*PAIR, "strength=0", f"backbone={backbone}")).run()
    assert torch.equal(quantize(last.images), quantize(load_image("chelsea", 64)))
