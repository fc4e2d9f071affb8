"""Runs of every study that say nothing, as folders: too short, too small, no pictures, one seed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
from torch import Tensor

from nst.judges import Judge
from nst.pictures.measures import layout_correlation
from nst.reports.findings.judging import StudyFinding, judge
from nst.reports.findings.studies import study_names
from nst.reports.measuring.per_run import MEASURES, measured
from nst.reports.measuring.trust import PROBLEMS
from nst.reports.sweeps import Axis, Sweep
from tests.experiments.studies.runs import (
    C,
    Cell,
    beside,
    noise,
    only,
    save,
    save_trace,
    study,
    waves,
    without,
)

AXES: dict[str, dict[str, tuple[str, ...]]] = {
    "content_seeds": {"seed": ("0", "1", "2")},
    "texture_seeds": {"seed": ("0", "1", "2")},
    "layer_ablation": {"content_layer": ("conv_1", "conv_4", "conv_8"), "seed": ("0", "1")},
    "texture_layers": {
        "style_layers": ("conv_1-5", "conv_6-10", "conv_7-11", "conv_9-12"),
        "seed": ("0", "1"),
    },
    "layer_grid": {
        "content_layer": ("conv_1", "conv_4", "conv_8"),
        "style_layers": ("conv_1-5", "conv_8-12"),
    },
    "init_timing": {"init": ("noise", "content"), "seed": ("0", "1")},
    "gallery": {"content": ("astronaut", "chelsea"), "style": ("mosaic", "swirl")},
    "weights": {"loss.style_weight": ("500", "50", "5"), "loss.content_weight": ("1", "0.1")},
}
TIME = "a_step_costs_the_same"  # needs no picture
Draw = Callable[[Cell, np.ndarray, np.ndarray], np.ndarray]

CONVERGED = [100.0 / (1 + step) ** 2 for step in range(101)]


class PixelJudge:
    """Judges by pixels instead of features: quick, and in the same ranges."""

    def content_kept(self, image: Tensor, content: Tensor) -> float:
        return layout_correlation(_pixels(image), _pixels(content), 4)

    def style_distance(self, image: Tensor, style: Tensor) -> float:
        return float((image.mean((2, 3)) - style.mean((2, 3))).norm()) + 0.1


def _pixels(image: Tensor) -> np.ndarray:
    array: np.ndarray = 255 * image[0].permute(1, 2, 0).numpy()
    return array


def stylized(cell: Cell, content: np.ndarray, style: np.ndarray) -> np.ndarray:
    """The content with a share of the style and some of the seed's noise."""
    deep = AXES["layer_grid"]["content_layer"].index(cell.get("content_layer", "conv_1"))
    weak = float(cell.get("loss.content_weight", 1)) < 1
    share = 0.2 + len(cell.get("loss.style_weight", "")) / 20 + (0.2 if weak else 0)
    seed = int(cell.get("seed", 0)) + len(cell.get("init", "")) + len(cell.get("style_layers", ""))
    mixed = (1 - share) * content + share * (style if weak else style.mean((0, 1)))
    return np.asarray(mixed + noise(seed + deep, 2.0 + deep))


def runs_of(
    name: str,
    folder: Path,
    draw: Draw = stylized,
    loss: Sequence[float] = CONVERGED,
    size: int = 192,
    **axes: tuple[str, ...],
) -> Sweep:
    """A study's runs as folders with pictures of 64 px, recorded as of another size, and measured.

    Args:
        name: of the study
        folder: to write to
        draw: a run's picture from its content and style
        loss: of every step
        size: that the records say
        axes: instead of the study's own
    """
    chosen = AXES[name] | axes
    task, cells = study(name).task, []
    for number, values in enumerate(itertools.product(*chosen.values())):
        cell, run = dict(zip(chosen, values, strict=True)), folder / str(number)
        photo = waves(phase=len(cell.get("content", "")))
        style = waves(phase=3 + len(cell.get("style", ""))) * 0.8 + noise(9, 5)
        save(run / "image.png", draw(cell, style if task == "texture" else photo, style))
        if task != "texture":
            save(run / "content.png", photo)
        if task != "content":
            save(run / "style.png", style)
        save_trace(run, loss)
        record = _record(cell, str(task), size) | {"steps": len(loss) - 1}
        cells.append({"folder": str(run), **record, **cell})
    axes_of = tuple(Axis(key, values) for key, values in chosen.items())
    sweep = Sweep((folder,), name, "full", "", pd.DataFrame(cells), axes_of)
    return measured(sweep, cast(Judge, PixelJudge()))


def _record(cell: Cell, task: str, size: int) -> dict[str, object]:
    """What a run's record says beside its axes."""
    return {
        "backbone.name": "vgg19_mini", "task": task, "width": size, "height": size,
        "psnr": 38 - 3.0 * len(cell.get("content_layer", "")), "ssim": 0.5,
        "seconds_per_step": 0.1 + 0.001 * int(cell.get("seed", 0)),
        "config.content_layer": cell.get("content_layer", "conv_8"),
        "config.style_layers": cell.get("style_layers", "conv_1-5"),
        **{f"config.{key}": float(v) for key, v in cell.items() if key.startswith("loss.")},
    }  # fmt: skip


def verdicts(finding: StudyFinding) -> dict[str, str]:
    """{claim: verdict}, less the one that needs no picture."""
    given = {each.claim.name: each.together.verdict.value for each in finding.claims}
    return {name: verdict for name, verdict in given.items() if name != TIME}


def why(finding: StudyFinding) -> str:
    return " ".join(each.together.text for each in finding.claims if each.claim.name != TIME)


@pytest.fixture(scope="module")
def faultless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sweep]:
    """{study: runs in which nothing is wrong}; not to be changed."""
    return {name: runs_of(name, tmp_path_factory.mktemp(name)) for name in study_names()}


@pytest.mark.parametrize("name", study_names())
def test_runs_without_a_fault_say_something_to_every_claim(
    name: str, faultless: dict[str, Sweep]
) -> None:
    sweep = faultless[name]
    assert sweep.runs["problem"].isna().all(), sweep.runs["problem"].tolist()
    finding = judge(study(name), sweep)
    assert C not in verdicts(finding).values(), why(finding)


def draw_noise(cell: Cell, content: np.ndarray, style: np.ndarray) -> np.ndarray:
    return 127.5 + noise(int(cell.get("seed", 0)) + len(str(cell)), 51)


def draw_one(cell: Cell, content: np.ndarray, style: np.ndarray) -> np.ndarray:
    return stylized({key: "0" if key == "seed" else v for key, v in cell.items()}, content, style)


@pytest.mark.parametrize("name", study_names())
def test_four_steps_say_nothing_to_any_claim(name: str, tmp_path: Path) -> None:
    finding = judge(study(name), runs_of(name, tmp_path, loss=CONVERGED[:5]))
    assert finding.verdict == C
    assert {each.together.verdict.value for each in finding.claims} == {C}
    assert "only 4 steps" in why(finding)


@pytest.mark.parametrize("name", study_names())
def test_pictures_of_noise_say_nothing_to_any_claim(name: str, tmp_path: Path) -> None:
    finding = judge(study(name), runs_of(name, tmp_path, draw_noise))
    assert set(verdicts(finding).values()) == {C}
    assert "is noise" in why(finding)


@pytest.mark.parametrize("name", study_names())
@pytest.mark.parametrize(
    ("problem", "text"),
    [
        ("too_short", "its loss still fell by 5.0 %"),
        ("too_small", "4 positions along a side"),
        ("not_a_picture", "its picture is flat"),
    ],
)
def test_runs_with_a_problem_say_nothing_to_any_claim(
    name: str, problem: str, text: str, faultless: dict[str, Sweep]
) -> None:
    sweep = faultless[name]
    sweep = replace(sweep, runs=sweep.runs.assign(**{problem: text}))
    finding = judge(study(name), sweep)
    assert set(verdicts(finding).values()) == {C}
    assert text in why(finding)


SEEDED = [name for name, axes in AXES.items() if "seed" in axes]


@pytest.mark.parametrize("name", SEEDED)
def test_one_seed_says_nothing_to_any_claim(name: str, faultless: dict[str, Sweep]) -> None:
    finding = judge(study(name), only(faultless[name], seed="0"))
    assert {each.together.verdict.value for each in finding.claims} == {C}
    assert finding.verdict == C


@pytest.mark.parametrize("name", SEEDED)
def test_seeds_that_give_one_picture_are_one_seed(name: str, tmp_path: Path) -> None:
    finding = judge(study(name), runs_of(name, tmp_path, draw_one))
    assert set(verdicts(finding).values()) == {C}
    assert "picture" in why(finding)


@pytest.mark.parametrize("name", study_names())
@pytest.mark.parametrize(
    ("key", "values", "columns"),
    [
        ("backbone", ("vgg19_mini", "vgg16"), {"backbone.name": ("vgg19_mini", "vgg16")}),
        ("preset", ("default", "gatys2015"), {}),
    ],
)
def test_what_varied_besides_makes_panels(
    name: str,
    key: str,
    values: tuple[str, ...],
    columns: dict[str, Sequence[object]],
    faultless: dict[str, Sweep],
) -> None:
    alone = faultless[name]
    sweep = beside(alone, key, values, **columns)
    sweep = beside(sweep, "optimizer", ("lbfgs", "adam"))
    titles = [f"{key} {v} · optimizer {name}" for v in values for name in ("lbfgs", "adam")]
    for one, claim in zip(
        judge(study(name), alone).claims, judge(study(name), sweep).claims, strict=True
    ):
        assert [title for title, _ in claim.panels] == titles
        assert {given.verdict for _, given in claim.panels} == {one.together.verdict}
        assert claim.together.verdict == one.together.verdict
        assert "Of 4 panels" in claim.together.text


@pytest.mark.parametrize("name", study_names())
def test_missing_runs_are_no_crash(name: str, faultless: dict[str, Sweep]) -> None:
    whole = faultless[name]
    for kept in (whole.runs.iloc[1:], whole.runs.iloc[:-1]):
        assert len(judge(study(name), replace(whole, runs=kept)).claims) > 1
    assert judge(study(name), replace(whole, runs=whole.runs.iloc[:1])).verdict == C
    assert judge(study(name), replace(whole, runs=whole.runs.iloc[:0])).verdict == C


@pytest.mark.parametrize("name", study_names())
def test_records_that_lack_a_field_are_no_crash(name: str, faultless: dict[str, Sweep]) -> None:
    whole = faultless[name]
    fields = ("psnr", "ssim", "seconds_per_step", "task", "backbone.name", *MEASURES)
    for column in (*fields, *(c for c in map(str, whole.runs) if c.startswith("config."))):
        judge(study(name), without(whole, column))
    nothing = replace(whole, runs=whole.runs.assign(**dict.fromkeys(fields)))
    if "seeds" not in name:  # whose claims compare the pictures themselves
        assert judge(study(name), nothing).verdict == C
    bare = replace(whole, runs=whole.runs[["folder", *(axis.key for axis in whole.axes)]])
    assert set(PROBLEMS) <= set(measured(bare, cast(Judge, PixelJudge())).runs)
