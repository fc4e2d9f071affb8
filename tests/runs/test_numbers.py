"""Numbers at their edges: runs that diverge, extreme weights and pictures, weights of 0."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nst.errors import InputError
from nst.pictures.files import to_uint8
from nst.runs.context import Context
from nst.runs.course import Course
from nst.runs.job import run_job
from nst.runs.transfer import Transfer
from tests.conftest import Compose

COLORS = {"black": (0, 0, 0), "white": (255, 255, 255), "red": (200, 30, 30)}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a picture of each of :data:`COLORS`, a tiny one, a wide and a tall one."""
    for name, color in COLORS.items():
        Image.new("RGB", (48, 32), color).save(tmp_path / f"{name}.png")
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    tiny = Image.fromarray(noise)
    tiny.save(tmp_path / "tiny.png")
    tiny.resize((512, 8)).save(tmp_path / "wide.png")
    tiny.resize((8, 512)).save(tmp_path / "tall.png")
    return tmp_path


def record_of(composed: Compose, folder: Path, *overrides: str) -> dict[str, Any]:
    """What a run's ``record.json`` says."""
    run_job(composed(*overrides), Context(folder))
    record: dict[str, Any] = json.loads((folder / "record.json").read_text())
    return record


def losses(folder: Path) -> list[float]:
    """The loss of every step."""
    table = np.genfromtxt(folder / "trace.csv", delimiter=",", names=True)
    return [float(loss) for loss in table["total"]]


# --- runs that go wrong -------------------------------------------------------------------------


def test_a_good_run_has_no_warnings(composed: Compose, run_folder: Path) -> None:
    record = record_of(composed, run_folder, "size=64", "optimizer.steps=12")
    assert record["warnings"] == []


@pytest.mark.slow
def test_adam_with_a_rate_for_pixels_up_to_255_still_makes_a_picture(
    composed: Compose, run_folder: Path
) -> None:
    overrides = ("content=chelsea", "style=swirl", "optimizer=adam", "optimizer.lr=10")
    record = record_of(composed, run_folder, *overrides, "size=64", "optimizer.steps=15")
    assert record["restarts"] > 0
    assert losses(run_folder)[-1] < 0.5 * losses(run_folder)[0]
    assert max(losses(run_folder)) <= 5 * losses(run_folder)[0]


@pytest.mark.slow
def test_a_run_that_goes_back_in_most_steps_says_so(
    composed: Compose, run_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    overrides = ("optimizer=sgd", "optimizer.lr=1e6", "optimizer.steps=10")
    record = record_of(composed, run_folder, *overrides)
    assert f"went back to the best image in {record['restarts']} of 10" in record["warnings"][-1]
    assert "smaller optimizer.lr (now 1e+06)" in record["warnings"][-1]
    warned = [entry.message for entry in caplog.records if entry.levelno == logging.WARNING]
    assert warned == record["warnings"]


@pytest.mark.slow
def test_grey_by_a_recipe_for_another_network_names_total_variation(
    composed: Compose, run_folder: Path
) -> None:
    overrides = ("preset=neural_style", "backbone=vgg19_mini", "size=64", "optimizer.steps=30")
    (said,) = record_of(composed, run_folder, *overrides)["warnings"]
    assert "nearly of one colour" in said
    assert "loss.tv_weight=0" in said


def test_only_the_last_pass_is_to_have_lowered_the_loss(composed: Compose) -> None:
    """At twice the size a loss that is a sum over pixels begins far above where it ended before."""
    course = Course(composed("optimizer.steps=3", "passes=[{scale: 2, steps: 2}]"))
    for step, loss in enumerate([10.0, 5.0, 3.0, 2.0, 30.0, 20.0]):
        course.add(step, loss)
    assert course.losses == (30.0, 20.0)


def test_of_one_pass_the_start_counts(composed: Compose) -> None:
    course = Course(composed("optimizer.steps=2"))
    for step, loss in enumerate([10.0, 5.0, 7.0]):
        course.add(step, loss)
    assert course.losses == (10.0, 7.0)


# --- extremes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("key", ["content_weight", "style_weight", "tv_weight"])
@pytest.mark.parametrize("weight", ["1e-5", "1e10"])
@pytest.mark.slow
def test_weights_over_fifteen_orders_of_magnitude(
    composed: Compose, run_folder: Path, optimizer: str, key: str, weight: str
) -> None:
    overrides = (f"optimizer={optimizer}", f"loss.{key}={weight}", "optimizer.steps=10")
    record = record_of(composed, run_folder, *overrides)
    assert np.isfinite(losses(run_folder)).all()
    assert np.isfinite(list(record["terms"].values())).all()
    assert losses(run_folder)[-1] <= losses(run_folder)[0]


LOSSES = ("balanced", "wasserstein2", "gatys2015", "chollet_keras")


@pytest.mark.parametrize(
    "loss", [LOSSES[0], *(pytest.param(x, marks=pytest.mark.slow) for x in LOSSES[1:])]
)
@pytest.mark.parametrize(
    ("content", "style"),
    [
        *(("coffee", "black"), ("coffee", "red"), ("white", "mosaic")),
        *(("white", "black"), ("red", "red")),
    ],
)
@pytest.mark.slow
def test_pictures_of_one_color(
    composed: Compose, run_folder: Path, pictures: Path, loss: str, content: str, style: str
) -> None:
    """The network here sees the style's pixels as well, which in a black one are all 0."""
    chosen = {"content": content, "style": style}
    flat = [name for name, picture in chosen.items() if picture in COLORS]
    files = {k: f"{pictures}/{v}.png" if v in COLORS else v for k, v in chosen.items()}
    overrides = (f"loss={loss}", "backbone=vgg19_mini", "optimizer.steps=8")
    named = (f"{key}={file}" for key, file in files.items())
    record = record_of(composed, run_folder, *overrides, *named, "size=48")
    assert np.isfinite(losses(run_folder)).all()
    assert min(losses(run_folder)) >= 0
    assert losses(run_folder)[-1] <= losses(run_folder)[0]
    assert f"the {' and '.join(flat)} image" in record["warnings"][-1]


@pytest.mark.parametrize("task", ["transfer", "content", "texture"])
@pytest.mark.slow
def test_sixteen_pixels(composed: Compose, run_folder: Path, pictures: Path, task: str) -> None:
    tiny = (f"content={pictures}/tiny.png", f"style={pictures}/tiny.png", "init=noise")
    record_of(composed, run_folder, f"task={task}", *tiny, "size=16", "optimizer.steps=8")
    assert np.isfinite(losses(run_folder)).all()
    assert losses(run_folder)[-1] < losses(run_folder)[0]


@pytest.mark.parametrize("key", ["content", "style"])
@pytest.mark.parametrize("name", ["wide", "tall"])
def test_what_is_too_thin_for_the_network_is_named(
    composed: Compose, run_folder: Path, pictures: Path, key: str, name: str
) -> None:
    with pytest.raises(InputError, match=rf"{key}=.*{name}.png: its .* or more on the shorter"):
        record_of(composed, run_folder, f"{key}={pictures}/{name}.png", "size=256")


# --- weights of 0 -------------------------------------------------------------------------------


def test_without_style_the_picture_is_its_content(
    composed: Compose, run_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    overrides = ("loss.style_weight=0", "loss.tv_weight=0", "optimizer.steps=5")
    record_of(composed, run_folder, *overrides)
    image, content = (np.asarray(Image.open(run_folder / f"{x}.png")) for x in ("image", "content"))
    assert np.array_equal(image, content)
    assert "loss.style_weight is 0: the style loss counts for nothing" in caplog.messages


def test_without_any_weight_no_network_is_loaded(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("nst.runs.transfer.load_backbone")
    with pytest.raises(InputError, match="nothing would be minimised"):
        record_of(composed, run_folder, "task=content", "loss.content_weight=0", "loss.tv_weight=0")


# --- the same again -----------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.slow
def test_the_same_batch_again_gives_the_same_bytes(composed: Compose, precision: str) -> None:
    def images() -> torch.Tensor:
        cfgs = [
            composed(f"loss.style_weight={w}", "optimizer.steps=8", f"precision={precision}")
            for w in (30, 120, 480)
        ]
        *_, last = Transfer(*cfgs).run()
        return last.images

    first = images()
    assert torch.equal(first, images())
    assert len({picture.tobytes() for picture in to_uint8(first)}) == 3
