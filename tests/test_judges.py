from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nst import judges
from nst.backbones.load import load_backbone
from nst.config.layers import BACKBONES, canonical
from nst.errors import InputError
from nst.judges import Judge, feature_correlation, gram_distance, held_out_judge
from nst.pictures.samples import load_image

STEERED = [
    # networks that made the pictures, who judges, whether it is neutral
    (["vgg19_mini"], "vgg16_mini", True),
    (["vgg19"], "vgg16_mini", True),
    (["vgg16_mini"], "vgg19_mini", True),
    (["vgg16"], "vgg19_mini", True),
    (["squeezenet1_0"], "vgg16_mini", True),
    ([], "vgg16_mini", True),
    (["vgg16", "vgg19_mini"], "vgg16_mini", False),
]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return held_out_judge(["vgg19_mini"])


@pytest.fixture(scope="module")
def photo() -> Tensor:
    return load_image("coffee", 96)


@pytest.mark.parametrize(("steering", "name", "neutral"), STEERED)
def test_a_network_of_another_family_judges(steering: list[str], name: str, neutral: bool) -> None:
    judge = held_out_judge(steering)
    assert (judge.name, judge.neutral) == (name, neutral)
    assert name in judge.sentence
    assert ("made none of these pictures" in judge.sentence) is neutral
    assert ("favour those" in judge.sentence) is not neutral


def test_a_named_network_judges_and_is_said_to_be_partial() -> None:
    judge = held_out_judge(["vgg19"], "vgg19_mini")
    assert (judge.name, judge.neutral) == ("vgg19_mini", False)
    assert held_out_judge(["vgg16"], "vgg19_mini").neutral


@pytest.mark.parametrize("name", BACKBONES)
def test_every_network_has_layers_to_judge_by(name: str) -> None:
    family = name.removesuffix("_mini")
    for layer in (*judges._STYLE_LAYERS[family], judges._CONTENT_LAYER[family]):
        assert canonical(layer, name)


def test_a_judge_that_there_is_not_is_named() -> None:
    with pytest.raises(InputError, match=r"report\.judge=vgg17: .*did you mean vgg1"):
        held_out_judge([], "vgg17")


def test_the_style_itself_has_no_distance_and_another_picture_the_largest(
    judge: Judge, photo: Tensor
) -> None:
    style = load_image("swirl", 96)
    assert judge.style_distance(style, style) == 0
    near, far = (judge.style_distance(image, style) for image in (0.98 * style, photo))
    assert 0 < near < far


def test_a_style_may_have_another_size(judge: Judge) -> None:
    small, large = load_image("mosaic", 64), load_image("mosaic", 96)
    other = load_image("swirl", 64)
    assert judge.style_distance(large, small) < judge.style_distance(large, other)


def test_all_of_a_picture_is_kept_in_itself_and_little_in_others(
    judge: Judge, photo: Tensor
) -> None:
    noise = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0))
    itself, darker, mirrored, white = (
        judge.content_kept(image, photo) for image in (photo, 0.9 * photo, photo.flip(3), noise)
    )
    assert itself == pytest.approx(1, abs=1e-4)
    assert 1 > darker > 0.9 > 0.6 > mirrored > white > -0.2
    assert white < 0.3


def test_a_blurred_photograph_keeps_more_of_itself_than_of_another(
    judge: Judge, photo: Tensor
) -> None:
    blurred = torch.nn.functional.avg_pool2d(photo, 5, 1, 2)
    assert judge.content_kept(blurred, photo) > 0.5
    assert judge.content_kept(blurred, load_image("coffee", 96).flip(2)) < 0.5


@pytest.mark.parametrize("side", [1, 8, 15])
def test_a_picture_that_is_too_small_is_named(judge: Judge, side: int) -> None:
    with pytest.raises(InputError, match="too small"):
        judge.style_distance(torch.zeros(1, 3, side, side), torch.zeros(1, 3, 64, 64))


def test_flat_pictures_have_numbers(judge: Judge, photo: Tensor) -> None:
    for level in (0.0, 0.5, 1.0):
        flat = torch.full_like(photo, level)
        assert -1 <= judge.content_kept(flat, photo) < 0.5
        assert judge.style_distance(flat, photo) > 0.3
        assert judge.style_distance(flat, flat) == 0


def test_feature_correlation_is_of_one_layer(photo: Tensor) -> None:
    network = load_backbone("vgg19_mini", "shipped", "avg")
    assert feature_correlation(network, photo, photo, "relu_5") == pytest.approx(1)
    assert feature_correlation(network, photo.flip(3), photo, "relu_5") < 0.95
    assert gram_distance(network, photo, photo, ["relu_1", "relu_5"]) == 0
