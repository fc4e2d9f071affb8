from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torch import Tensor

from nst.errors import InputError
from nst.judges import Judge
from nst.pictures.files import to_uint8
from nst.pictures.samples import load_image
from nst.reports.measuring.per_run import MEASURES, MOST_STYLES, judge_of, measured
from nst.reports.measuring.trust import PROBLEMS
from nst.reports.sweeps import Axis, Sweep, load_sweep


class MeanJudge:
    """Judges by mean brightness, so that numbers are known."""

    def content_kept(self, image: Tensor, content: Tensor) -> float:
        return 1 - self.style_distance(image, content)

    def style_distance(self, image: Tensor, style: Tensor) -> float:
        if min(image.shape[-2:]) < 8:
            raise InputError("too small")
        return abs(float(image.mean() - style.mean()))


MEAN = cast(Judge, MeanJudge())


def grey(level: int, side: int = 16) -> np.ndarray:
    """A ramp around a grey level."""
    ramp = np.linspace(-20, 20, side)[:, None, None]
    return np.asarray(level + ramp * np.ones((side, side, 3))).round().astype(np.uint8)


def save(folder: Path, **pictures: np.ndarray) -> str:
    folder.mkdir(parents=True)
    for name, values in pictures.items():
        Image.fromarray(values).save(folder / f"{name}.png")
    return str(folder)


def sweep_of(folders: list[str], **columns: list[Any]) -> Sweep:
    """A run in each folder; columns of text are axes."""
    axes = tuple(Axis(key, tuple(dict.fromkeys(values))) for key, values in columns.items())
    return Sweep((Path(),), None, None, "", pd.DataFrame({"folder": folders, **columns}), axes)


def test_a_transfer_is_measured_against_content_and_style(tmp_path: Path) -> None:
    folder = save(tmp_path / "0", image=grey(102), content=grey(51), style=grey(153))
    runs = measured(sweep_of([folder]), MEAN).runs
    assert runs.at[0, "content_kept"] == pytest.approx(0.8)
    assert runs.at[0, "style_distance"] == pytest.approx(0.2)
    assert runs.at[0, "photo_distance"] == pytest.approx(0.4)
    assert runs.at[0, "edges"] == pytest.approx(1)
    assert runs.at[0, "roughness"] == pytest.approx(1)
    assert runs["other_style_distance"].isna()[0]


def test_a_texture_has_no_content_and_a_reconstruction_no_style(tmp_path: Path) -> None:
    folders = [
        save(tmp_path / "texture", image=grey(102), style=grey(153)),
        save(tmp_path / "content", image=grey(102), content=grey(51)),
    ]
    runs = measured(sweep_of(folders, seed=["0", "1"]), MEAN).runs
    of_texture = {name for name in MEASURES if not runs[name].isna()[0]}
    of_content = {name for name in MEASURES if not runs[name].isna()[1]}
    assert of_texture == {"style_distance", "roughness"}
    assert of_content == {"content_kept", "edges", "layout", "roughness"}


def test_a_style_of_another_size_counts_and_a_content_of_another_does_not(tmp_path: Path) -> None:
    folder = save(tmp_path / "0", image=grey(102), content=grey(51, 24), style=grey(153, 40))
    runs = measured(sweep_of([folder]), MEAN).runs
    assert runs.at[0, "style_distance"] == pytest.approx(0.2, abs=1e-3)
    assert runs["content_kept"].isna()[0]


def test_the_nearest_other_style_is_one_of_a_run_that_differs_in_nothing_else(
    tmp_path: Path,
) -> None:
    """At another size the same style looks nearer, and is no other style."""
    levels = {("a", "16"): 153, ("b", "16"): 204, ("a", "8"): 110, ("b", "8"): 105}
    folders = [
        save(tmp_path / "".join(cell), image=grey(102), style=grey(level))
        for cell, level in levels.items()
    ]
    styles, sizes = zip(*levels, strict=True)
    sweep = sweep_of(folders, style=list(styles), size=list(sizes))
    other = measured(sweep, MEAN).runs["other_style_distance"].tolist()
    assert other == pytest.approx([0.4, 0.2, 3 / 255, 8 / 255], rel=1e-4)


def test_of_very_many_styles_none_is_compared(tmp_path: Path) -> None:
    count = MOST_STYLES + 1
    folders = [save(tmp_path / str(i), image=grey(100), style=grey(90 + i)) for i in range(count)]
    runs = measured(sweep_of(folders, style=[str(i) for i in range(count)]), MEAN).runs
    assert runs["other_style_distance"].isna().all()
    assert runs["style_distance"].notna().all()


def test_a_picture_too_small_for_the_judge_has_no_judgement(tmp_path: Path) -> None:
    folder = save(tmp_path / "0", image=grey(102, 6), content=grey(51, 6), style=grey(153, 6))
    runs = measured(sweep_of([folder]), MEAN).runs
    assert runs["content_kept"].isna()[0]
    assert runs["style_distance"].isna()[0]
    assert runs.at[0, "roughness"] == pytest.approx(1)


def test_a_run_without_a_picture_has_a_problem_and_no_measures(tmp_path: Path) -> None:
    folders = [save(tmp_path / "0", content=grey(51)), save(tmp_path / "1", image=grey(90))]
    runs = measured(sweep_of(folders, seed=["0", "1"]), MEAN).runs
    assert runs.loc[0, list(MEASURES)].isna().all()
    assert runs.at[0, "problem"] == "it has no image.png; it has no trace.csv"
    assert runs.at[1, "problem"] == "it has no trace.csv"


def test_problems_are_text_or_none_and_together_one_text(tmp_path: Path) -> None:
    flat = np.full((16, 16, 3), 90, dtype=np.uint8)
    folders = [save(tmp_path / name, image=flat) for name in "ab"]
    runs = measured(sweep_of(folders, seed=["0", "1"]), MEAN).runs
    assert runs["too_short"].tolist() == [None, None]
    first, second = runs["problem"]
    flat_text, trace_text = (
        "its picture is flat (standard deviation 0.0 of 255)",
        "it has no trace.csv",
    )
    assert first == f"{flat_text}; {trace_text}"
    assert second == f"{flat_text}; its picture is that of seed 0; {trace_text}"


def test_measuring_again_changes_nothing(tmp_path: Path) -> None:
    folder = save(tmp_path / "0", image=grey(102), content=grey(51), style=grey(153))
    once = measured(sweep_of([folder]), MEAN)
    again = measured(once, MEAN)
    pd.testing.assert_frame_equal(once.runs, again.runs[list(once.runs)])
    assert again.runs.columns.is_unique


def test_flat_and_grey_pictures_are_no_crash(tmp_path: Path) -> None:
    flat = np.full((16, 16, 3), 90, dtype=np.uint8)
    folder = save(tmp_path / "0", image=grey(90)[..., 0], content=flat, style=flat)
    runs = measured(sweep_of([folder]), MEAN).runs
    assert runs.at[0, "edges"] == 0
    assert runs.at[0, "layout"] == 0
    assert runs["roughness"].isna()[0]  # of nothing


def test_the_sweep_is_judged_by_a_network_that_made_none_of_it(layers_and_seeds: Path) -> None:
    sweep = load_sweep([layers_and_seeds])
    judge = judge_of(sweep)
    assert judge.neutral
    assert judge.name not in set(sweep.runs["backbone.name"])
    runs = measured(sweep, judge).runs
    assert set(MEASURES) | set(PROBLEMS) | {"problem"} <= set(runs)
    assert runs["content_kept"].between(-1, 1).all()
    assert runs["too_short"].tolist() == ["only 2 steps"] * 4
    assert judge_of(sweep, "vgg19_mini").name == "vgg19_mini"


def test_content_kept_is_of_the_judges_features(layers_and_seeds: Path) -> None:
    sweep = load_sweep([layers_and_seeds])
    photo = to_uint8(load_image("astronaut", 24))[0]
    Image.fromarray(photo).save(layers_and_seeds / "0" / "image.png")
    Image.fromarray(photo).save(layers_and_seeds / "0" / "content.png")
    runs = measured(sweep, judge_of(sweep)).runs
    assert runs["content_kept"].max() == runs.at[0, "content_kept"] == pytest.approx(1)
