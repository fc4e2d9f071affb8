"""What a run says before and during its steps, by a clock of the test's own."""

from __future__ import annotations

import logging
import re

import pytest
import torch

from nst.gradients.precision import Precision
from nst.runs.messages.progress import Telling
from tests.conftest import Compose
from tests.runs.messages.test_forecast import Clock

FLOAT32 = Precision("float32", "as configured")
CHECKED = Precision("bfloat16", "auto", checked=True)


@pytest.fixture(autouse=True)
def everything_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def told(
    composed: Compose,
    caplog: pytest.LogCaptureFixture,
    step_seconds: float,
    *overrides: str,
    brief: bool = False,
    precision: Precision = FLOAT32,
) -> list[str]:
    """The lines of a run whose steps take so long, where there is no terminal."""
    cfg, clock = composed("optimizer.steps=100", *overrides), Clock()
    telling = Telling([cfg], brief=brief, terminal=False, clock=clock)
    telling.begin(torch.device("cpu"), precision, threads=2)
    with telling.steps(100):
        for step in range(101):
            telling.see(step, True, "loss 1.5")
            clock.now += step_seconds
    return [record.getMessage() for record in caplog.records]


def test_a_run_of_five_seconds_says_only_what_it_is(
    composed: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    (line,) = told(composed, caplog, 0.04)
    assert line.startswith("astronaut in the style of mosaic, 32×32, vgg16_mini on the CPU (2 th")


def test_a_longer_run_says_how_long_and_then_every_few_seconds_how_far(
    composed: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    _, whole, *lines = told(composed, caplog, 0.4)
    assert whole == "about 40 s"
    assert lines[0] == "step 13 of 100 (13 %), loss 1.5, 35 s left"
    steps = [int(line.split()[1]) for line in lines]
    assert steps == [13, 26, 39, 52, 65, 78, 91]  # five seconds each


def test_lines_become_rare_after_a_minute(
    composed: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [each for each in told(composed, caplog, 6.0) if each.startswith("step")]
    steps = [int(line.split()[1]) for line in lines]
    assert steps == [*range(1, 11), *range(15, 100, 5)]


def test_nothing_is_said_of_the_end_but_at_the_end(
    composed: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    assert not [line for line in told(composed, caplog, 5.0) if "step 100 of 100" in line]


def test_over_half_an_hour_is_a_warning_that_says_what_helps(
    composed: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    told(composed, caplog, 60.0, "size=512")
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warning == "about 1.5 h"
    assert "quicker: quality=draft, size=160 (10 min) or a GPU" in caplog.messages
    assert "Ctrl-C ends it, and keeps the picture so far" in caplog.messages


def test_what_must_take_long_is_said_before_anything_is_loaded(
    composed: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    telling = Telling([composed("size=3000", "optimizer.steps=300")], terminal=False)
    telling.begin(torch.device("cpu"), FLOAT32, threads=2)
    plan, warning, quicker, _ = caplog.messages
    assert "3000×3000" in plan
    assert re.fullmatch(r"on this processor it may take some \d+(\.5)? h", warning)
    assert quicker.startswith("quicker: quality=draft, size=")


def test_a_warning_is_given_once(composed: Compose, caplog: pytest.LogCaptureFixture) -> None:
    lines = told(composed, caplog, 90.0, "size=3000", "optimizer.steps=200")
    assert sum("quicker" in line for line in lines) == 1
    assert [r.levelname for r in caplog.records].count("WARNING") == 1
    assert "about 5 h" in lines


def test_the_first_steps_of_a_run_in_bfloat16_give_an_upper_bound(
    composed: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    lines = told(composed, caplog, 6.0, precision=CHECKED)
    assert [line for line in lines[1:] if "step" not in line] == ["at most 10 min", "about 10 min"]


def test_a_later_job_of_a_sweep_says_no_more_than_how_far_it_is(
    composed: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    lines = told(composed, caplog, 0.4, brief=True)
    assert lines
    assert all(line.startswith("step ") for line in lines)


def test_a_terminal_has_a_bar_and_no_lines(
    composed: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    telling = Telling([composed("optimizer.steps=100")], terminal=True, clock=clock)
    telling.begin(torch.device("cpu"), FLOAT32, threads=2)
    with telling.steps(100) as bar:
        for step in range(31):
            bar.see(step, True, "loss 1.5")
            clock.now += 0.4
        drawn = str(bar._bar)
    assert "step 30 of 100, loss 1.5, 30 s left" in drawn
    assert drawn.startswith(" 30 %|")
    assert not [line for line in caplog.messages if line.startswith("step")]
    assert "about 40 s" in caplog.messages


def test_steps_that_a_gpu_has_not_finished_are_no_measure(
    composed: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    telling = Telling([composed("optimizer.steps=100")], terminal=False, clock=clock)
    telling.begin(torch.device("cpu"), FLOAT32, threads=2)
    with telling.steps(100):
        for step in range(21):
            clock.now += 0 if step % 10 else 10  # ten steps arrive at once
            telling.see(step, step % 10 == 0, "")
    assert "about 100 s" in caplog.messages
