"""The words at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nst.runs.course import Course
from nst.runs.messages.outcome import convergence, details, result
from tests.conftest import Compose

FOLDER = Path.cwd() / "outputs" / "run"


def record(**changes: Any) -> dict[str, Any]:
    """What ``record.json`` holds of a run that went as it should."""
    return {
        "task": "transfer",
        "steps": 100,
        "seconds": 41.3,
        "seconds_per_step": 0.409,
        "seconds_setup": 1.2,
        "loop_seconds": 42.0,
        "batch": 1,
        "batch_seconds": 41.3,
        "judged": {"by": "vgg19_mini", "content_kept": 0.618, "style_taken": 0.712},
        "last_tenth": 0.001,
        "losses": {"total": 3.2, "content": 1.1},
        "psnr": 9.6,
        "ssim": 0.2,
        "restarts": 3,
        "precision": {"name": "bfloat16", "why": "auto", "fell_back": None},
        "device_name": "AMD EPYC",
        "threads": 2,
        "threads_why": "cores",
        "peak_memory_mb": 790.0,
        "memory": {"estimate_mb": 12.0, "why": "auto: it fits without"},
        "config": {"optimizer": {"steps": 100}, "output": None},
        **changes,
    }


def test_the_picture_comes_first_then_what_it_has_then_how_it_went() -> None:
    assert result(record(), FOLDER) == [
        "outputs/run/image.png",
        "keeps 62 % of the content and has taken on 71 % of the style",
        "converged after 100 steps, in 40 s",
    ]


def test_the_file_that_was_asked_for_is_named(composed: Compose) -> None:
    config = {"optimizer": {"steps": 100}, "output": "me.jpg"}
    assert result(record(config=config), FOLDER)[:2] == ["me.jpg", "outputs/run/image.png"]


def test_a_run_that_falls_says_what_to_do() -> None:
    assert result(record(last_tenth=0.05), FOLDER)[-1] == (
        "still falling after 100 steps, in 40 s: more would help, as optimizer.steps=200"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"task": "texture", "judged": {"content_kept": None, "style_taken": 0.7}},
            "has taken on 70 % of the style",
        ),
        (
            {
                "task": "content",
                "psnr": 38.6,
                "judged": {"content_kept": 0.98, "style_taken": None},
            },
            "keeps 98 % of the content (PSNR 38.6 dB)",
        ),
    ],
)
def test_a_task_has_the_numbers_that_mean_something(changes: dict[str, Any], said: str) -> None:
    assert said in result(record(**changes), FOLDER)


def test_what_could_not_be_judged_is_left_out() -> None:
    nothing = {"by": None, "content_kept": None, "style_taken": None}
    assert result(record(judged=nothing, last_tenth=None), FOLDER) == [
        "outputs/run/image.png",
        "100 steps, in 40 s",
    ]


def test_a_job_of_a_sweep_is_one_line_from_the_sweeps_folder_on() -> None:
    assert result(record(), FOLDER / "2_ink", "outputs/run") == [
        "2_ink/image.png: 62 % content, 71 % style, converged"
    ]


def test_numbers_of_the_optimizer_are_for_those_who_ask() -> None:
    """The record has them, and ``verbose=true`` says them."""
    usual, more = "\n".join(result(record(), FOLDER)), "\n".join(details(record(), FOLDER))
    for word in ("PSNR", "guard", "bfloat16", "MB", "sheet.png"):
        assert word not in usual
        assert word in more
    assert "went back to the best image 3 times" in more


@pytest.mark.parametrize(
    ("peak", "estimate", "said"),
    [
        (790.0, 12.0, "memory: 790 MB at most, 12 MB expected of the run (auto)"),
        (790.0, None, "memory: 790 MB at most (auto)"),
        (None, None, "memory: (auto)"),
    ],
)
def test_memory_is_said_as_far_as_it_is_known(
    peak: float | None, estimate: float | None, said: str
) -> None:
    known = record(peak_memory_mb=peak, memory={"estimate_mb": estimate, "why": "auto"})
    assert said in details(known, FOLDER)


def falling(composed: Compose, losses: list[float], *overrides: str) -> float | None:
    course = Course(composed(*overrides))
    for step, loss in enumerate(losses):
        course.add(step, loss)
    return course.last_tenth


def test_a_loss_that_halves_when_the_steps_are_doubled_is_still_falling(composed: Compose) -> None:
    fell = falling(composed, [1 / (step + 1) for step in range(101)])
    assert fell == pytest.approx(0.1, rel=0.05)
    assert convergence(fell) == "still falling"


def test_a_loss_that_levels_off_has_converged(composed: Compose) -> None:
    fell = falling(composed, [2 + 0.5**step for step in range(101)])
    assert convergence(fell) == "converged"


def test_a_step_that_goes_up_at_the_end_is_no_matter(composed: Compose) -> None:
    losses = [2 + 0.5**step for step in range(100)]
    assert falling(composed, [*losses, 50.0]) == falling(composed, [*losses, losses[-1]])


def test_only_the_last_pass_counts(composed: Compose) -> None:
    passes = ("optimizer.steps=4", "passes=[{scale: 2, steps: 20}]")
    steep, flat = [100.0, 50, 20, 10, 5], [3.0] * 20
    assert falling(composed, steep + flat, *passes) == 0


@pytest.mark.parametrize("losses", [[], [1.0], [1.0, 0.5], [1.0, float("nan"), 0.5]])
def test_too_little_says_nothing(composed: Compose, losses: list[float]) -> None:
    assert falling(composed, losses) is None
    assert convergence(None) == ""
