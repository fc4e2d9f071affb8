"""What is said of a picture at the end of a run: nothing of a good one, what is wrong of others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nst.config.samples import SAMPLES
from nst.pictures.files import to_uint8
from nst.pictures.health import Ending, remarks
from nst.pictures.samples import load_image


def sample(name: str, side: int = 96) -> np.ndarray:
    """A sample's pixels, (H, W, 3) uint8."""
    pixels: np.ndarray = to_uint8(load_image(name, side))[0]
    return pixels


def white_noise(spread: float, side: int = 96) -> np.ndarray:
    """Grey with noise, its spread in units of [0, 1]."""
    values = 127.5 + 255 * spread * np.random.default_rng(0).standard_normal((side, side, 3))
    noise: np.ndarray = values.clip(0, 255).astype(np.uint8)
    return noise


def one_color(*color: int) -> np.ndarray:
    return np.tile(np.array(color, dtype=np.uint8), (64, 96, 1))


GOOD = Ending(
    image=sample("rocket"),
    originals={"content": sample("coffee"), "style": sample("swirl")},
    start=sample("coffee"),
    losses=(100.0, 1.0),
    steps=100,
    restarts=3,
    weights={"loss.style_weight": 50.0, "loss.tv_weight": 1.0},
    lr=1.0,
)


def of(**changes: object) -> str:
    """What is said where something differs from a good run."""
    return "\n".join(remarks(replace(GOOD, **changes)))  # type: ignore[arg-type]


def test_a_good_run_is_not_remarked_on() -> None:
    assert remarks(GOOD) == []


@pytest.mark.parametrize("side", [64, 128])
@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_a_picture(name: str, side: int) -> None:
    assert of(image=sample(name, side)) == ""


def test_grain_on_a_photograph_is_a_photograph() -> None:
    grainy = sample("coffee") + (white_noise(0.1)[:64] - 127.5)
    assert of(image=grainy.clip(0, 255).astype(np.uint8)) == ""


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (220, 40, 40)])
def test_one_color_is_no_picture_and_total_variation_may_be_why(
    color: tuple[int, int, int],
) -> None:
    said = of(image=one_color(*color))
    assert "nearly of one colour" in said
    assert "loss.tv_weight=0" in said
    assert "tv_weight" not in of(image=one_color(*color), weights={"loss.tv_weight": 0.0})


@pytest.mark.parametrize(("share", "is_flat"), [(0.1, True), (0.4, False)])
def test_a_picture_far_paler_than_its_originals_is_nearly_of_one_color(
    share: float, is_flat: bool
) -> None:
    pale = (128 + share * (GOOD.image - 128.0)).astype(np.uint8)
    assert ("nearly of one colour" in of(image=pale)) is is_flat


def test_an_original_of_one_color_is_named_whatever_came_of_it() -> None:
    black = {"content": sample("coffee"), "style": one_color(0, 0, 0)}
    assert of(originals=black).startswith("the style image is of one colour")
    said = of(originals=black, image=one_color(0, 0, 0))
    assert "nearly of one colour (standard deviation 0.0 of 255), as one is" in said
    assert "the style image is of one colour" in said


@pytest.mark.parametrize("spread", [0.5, 0.2, 0.05])
@pytest.mark.parametrize("style", ["mosaic", "ink", "hubble"])
def test_noise_is_no_picture(spread: float, style: str) -> None:
    """Also beside a mosaic, than which it is hardly rougher, and where it is faint."""
    originals = {"content": sample("coffee"), "style": sample(style)}
    said = of(image=white_noise(spread), originals=originals, lr=10.0)
    assert "the picture is noise" in said
    assert "smaller optimizer.lr (now 10)" in said


def test_noise_that_was_asked_for_is_none() -> None:
    assert of(image=white_noise(0.2), originals={"content": white_noise(0.2, 64)}) == ""


def test_clipped_values_count_beyond_those_of_the_originals() -> None:
    half = sample("rocket").copy()
    half[:, : half.shape[1] // 2] = (255, 0, 0)
    said = of(image=half)
    assert "of the picture's values are 0 or 255, of the originals' at most" in said
    assert "loss.style_weight=50" in said
    assert of(image=half, originals={"content": half, "style": sample("swirl")}) == ""


def test_a_picture_that_is_still_its_start() -> None:
    said = of(image=GOOD.start, restarts=0)
    assert "still its start (they differ by 0.0 of 255)" in said
    assert "a larger optimizer.lr (now 1)" in said
    assert "a smaller optimizer.lr" in of(image=GOOD.start, restarts=20)
    assert "whose loss is 0" in of(image=GOOD.start, losses=(0.0, 0.0), restarts=0)
    same = {"content": sample("coffee"), "style": sample("coffee")}
    assert "already what is to be imitated" in of(image=GOOD.start, originals=same)


def test_without_steps_nothing_was_to_move() -> None:
    assert of(image=GOOD.start, steps=0, losses=(1.0, 1.0), restarts=0) == ""


@pytest.mark.parametrize(
    ("losses", "text"),
    [
        ((1.0, 2.0), "the loss did not fall (1 at the start, 2 at the end)"),
        ((1.0, 1.0), "the loss did not fall"),
        ((1.0, float("nan")), "the loss is not finite"),
        ((1.0, float("inf")), "the loss is not finite"),
    ],
)
def test_a_loss_that_did_not_fall(losses: tuple[float, float], text: str) -> None:
    assert text in of(losses=losses)


def test_a_guard_that_went_back_in_most_steps() -> None:
    assert "the guard went back to the best image in 60 of 100 steps" in of(restarts=60)
    assert of(restarts=16) == ""


def test_what_is_not_known_is_not_remarked_on() -> None:
    assert of(start=None, losses=None) == ""
    assert of(start=sample("rocket", 64)) == ""  # of another size
