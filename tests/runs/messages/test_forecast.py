"""What is said of a run's length: a guess before it, and what its first steps tell."""

from __future__ import annotations

import re

import pytest

from nst.runs.messages.forecast import Forecast, Work, guess, plan, remedies
from tests.conftest import Compose

HOUR = 3600.0


class Clock:
    """Seconds, as the test moves them."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_plan_says_what_will_run_and_on_what(composed: Compose) -> None:
    cfg = composed("content=chelsea", "style=swirl", "size=512", "optimizer.steps=100")
    assert plan([cfg], "cpu", "bfloat16", 2) == (
        "chelsea in the style of swirl, 512×341, vgg16_mini on the CPU (2 threads, bfloat16), "
        "100 steps"
    )


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["task=texture", "style=ink", "coarse_scales=1"], "a texture of ink, 32×32"),
        (["task=content", "content=coffee"], "coffee from relu_7, 32×21"),
        (["backbone.weights=random"], "vgg16_mini with random weights on the CPU (1 thread"),
        (["passes=[{scale: 2, steps: 5}]"], "64×64"),
        (["passes=[{scale: 2, steps: 5}]", "optimizer.steps=7"], "12 steps in 2 passes from 32 px"),
    ],
)
def test_the_plan_has_what_the_task_has(composed: Compose, overrides: list[str], said: str) -> None:
    assert said in plan([composed(*overrides)], "cpu", "float32", 1)


def test_the_plan_of_a_batch_is_one_line(composed: Compose) -> None:
    line = plan([composed("seed=0"), composed("seed=1")], "cuda:0", "bfloat16", 2)
    assert line.startswith("2 pictures at once, 32×32, vgg16_mini on cuda:0 (bfloat16), ")


def test_what_is_left_follows_from_the_steps_so_far() -> None:
    clock = Clock()
    forecast = Forecast(Work(((100, 10),)), clock=clock)
    assert forecast.left is None
    forecast.see(0)
    assert forecast.left is None  # the start has no step before it
    for step in (1, 2, 3, 4):
        clock.now += 2
        forecast.see(step)
    assert forecast.left == pytest.approx(6 * 2)
    assert forecast.elapsed == 8


def test_a_pass_of_four_times_the_pixels_takes_four_times_as_long() -> None:
    clock = Clock()
    forecast = Forecast(Work(((100, 4), (400, 4))), clock=clock)
    forecast.see(0)
    clock.now += 1
    forecast.see(1)
    assert forecast.left == pytest.approx(3 + 5 * 4)  # the larger start is evaluated, too
    for step in (2, 3, 4):
        clock.now += 1
        forecast.see(step)
    clock.now += 8
    forecast.see(5)
    assert forecast.left == pytest.approx(3 * 4)


def test_steps_in_float32_at_the_start_are_an_upper_bound_and_then_forgotten() -> None:
    clock = Clock()
    forecast = Forecast(Work(((100, 10),)), slow=3, clock=clock)
    forecast.see(0)
    clock.now += 5
    forecast.see(1)
    bounds = [forecast.at_most]
    assert forecast.left == pytest.approx(9 * 5)
    clock.now += 5
    forecast.see(2)
    clock.now += 2
    forecast.see(3)
    assert forecast.left == pytest.approx(7 * 2)
    assert [*bounds, forecast.at_most] == [True, False]


def test_steps_that_become_slower_change_what_is_left() -> None:
    """As in float32 after bfloat16, or beside another program."""
    clock = Clock()
    forecast = Forecast(Work(((1, 1000),)), clock=clock)
    for step in range(101):
        forecast.see(step)
        clock.now += 1
    for step in range(101, 201):
        clock.now += 2
        forecast.see(step)
    assert forecast.left == pytest.approx(800 * 2, rel=0.05)


def test_a_run_that_goes_on_is_measured_from_there() -> None:
    clock = Clock()
    forecast = Forecast(Work(((1, 100),)), slow=3, clock=clock)
    forecast.see(50)
    clock.now += 1
    forecast.see(51)
    assert forecast.left == pytest.approx(49)
    assert not forecast.at_most


def test_the_guess_of_a_large_picture_is_long_and_of_a_small_one_short(composed: Compose) -> None:
    large = composed("size=3000", "backbone=vgg19", "backbone.weights=random")
    assert guess([large], "float32", 2) > HOUR
    assert guess([composed("size=256")], "bfloat16", 2) < 60


def test_remedies_are_keys_that_make_it_quicker(composed: Compose) -> None:
    cfg = composed("size=2000", "backbone=vgg19", "optimizer.steps=300", "backbone.weights=random")
    said = remedies(cfg, 4 * HOUR, "cpu")
    assert said == (
        "quality=draft, size=400 (10 min), size=1000 'passes=[{scale: 2, steps: 30}]', "
        "optimizer.steps=100, backbone=vgg16_mini or a GPU"
    )


def test_a_remedy_is_left_out_where_it_is_none(composed: Compose) -> None:
    said = remedies(composed("size=150", "optimizer.steps=90"), 3 * HOUR, "cuda")
    assert said == "quality=draft"
    assert not re.search("GPU|backbone|passes|steps", said)
