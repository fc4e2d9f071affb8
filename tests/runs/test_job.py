"""One run and its folder."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from nst import config
from nst.errors import InputError, Interruption
from nst.pictures.files import to_tensor
from nst.runs.context import Context
from nst.runs.job import run_job
from nst.runs.recording.checkpoint import read_checkpoint
from nst.runs.recording.tracking import NoSink
from nst.runs.transfer import Progress, Transfer
from tests.conftest import Compose
from tests.runs.recording.test_folder import contents

KEYS = (
    "status losses psnr ssim steps seconds seconds_per_step peak_memory_mb seed backbone "
    "config_hash versions device commit"
).split()


def test_the_folder_of_a_run(composed: Compose, run_folder: Path) -> None:
    cfg = composed("size=40", "optimizer.steps=5", "snapshot_every=2", "seed=0")
    returned = run_job(cfg, Context(run_folder, overrides=["seed=0"]))
    record = json.loads((run_folder / "record.json").read_text())
    assert record == returned
    assert set(KEYS) <= set(record)
    assert record["status"] == "completed"
    assert (record["steps"], record["seed"], record["device"]) == (5, 0, "cpu")
    assert set(record["losses"]) == {"total", "content", "style", "tv", "pixel_statistics"}
    assert set(record["losses_unweighted"]) == set(record["losses"]) - {"total"}
    assert set(record["terms_unweighted"]) == set(record["terms"])
    assert set(record["backbone"]) == {"name", "weights", "sha256"}
    assert record["backbone"]["weights"] == "shipped"
    assert record["config_hash"] == config.config_hash(cfg)
    assert record["overrides"] == ["seed=0"]
    assert record["seconds_per_step"] == pytest.approx(record["seconds"] / 6, rel=0.01, abs=1e-5)
    assert yaml.safe_load((run_folder / "config.yaml").read_text()) == record["config"]
    names = sorted(p.name for p in (run_folder / "snapshots").iterdir())
    assert names == [f"step_{n:06d}.png" for n in (0, 2, 4)]
    with Image.open(run_folder / "sheet.png") as sheet, Image.open(run_folder / "image.png") as im:
        assert max(im.size) == 40
        assert sheet.width > 3 * im.width


def test_the_trace_has_every_term_of_every_step(composed: Compose, run_folder: Path) -> None:
    run_job(
        composed("optimizer.steps=4", "content_layer=conv_4", "style_layers=[relu1_1,conv_2]"),
        Context(run_folder),
    )
    trace = pd.read_csv(run_folder / "trace.csv")
    assert trace["step"].tolist() == [0, 1, 2, 3, 4]
    terms = ["content/conv_4", "style/relu_1", "style/conv_2"]
    kinds = ["content", "style", "tv", "pixel_statistics"]
    before = [f"{name}_unweighted" for name in (*kinds, *terms)]
    assert list(trace.columns) == ["step", "seconds", "total", *kinds, *terms, *before]
    assert np.allclose(
        trace[["content", "style", "tv", "pixel_statistics"]].sum(axis=1), trace["total"], rtol=1e-5
    )
    assert np.allclose(trace[terms[1:]].sum(axis=1), trace["style"], rtol=1e-5)


def test_final_losses_are_those_of_the_saved_image(composed: Compose, run_folder: Path) -> None:
    cfg = composed("optimizer.steps=6", "optimizer.clamp=false", "init=noise", "init.amplitude=0.6")
    record = run_job(cfg, Context(run_folder))
    with Image.open(run_folder / "image.png") as image:
        saved = to_tensor(image)
    with torch.no_grad():
        terms = Transfer(cfg).current.objectives.exact(saved)[0]
    assert record["losses"]["total"] == pytest.approx(float(terms.sum()), rel=1e-4)
    trace = pd.read_csv(run_folder / "trace.csv")
    assert not math.isclose(trace["total"].iloc[-1], record["losses"]["total"], rel_tol=1e-3)


def test_textures_have_no_psnr(composed: Compose, run_folder: Path) -> None:
    record = run_job(composed("task=texture", "optimizer.steps=1"), Context(run_folder))
    assert record["psnr"] is None
    assert record["ssim"] is None
    assert set(record["images"]) == {"style"}
    assert record["losses"]["content"] == 0
    assert record["losses_unweighted"]["content"] is None
    assert pd.read_csv(run_folder / "trace.csv")["content_unweighted"].isna().all()


def test_an_unchanged_content_image_is_perfect(composed: Compose, run_folder: Path) -> None:
    overrides = ("task=content", "init=content", "optimizer.steps=0")
    record = run_job(composed(*overrides), Context(run_folder))
    assert record["psnr"] == 100.0
    assert record["ssim"] == pytest.approx(1.0)


def test_early_layers_give_the_image_back(composed: Compose, run_folder: Path) -> None:
    overrides = ("task=content", "content_layer=conv_2", "size=64", "optimizer.steps=60")
    assert run_job(composed(*overrides), Context(run_folder))["psnr"] > 25


def test_a_seed_that_decides_nothing_is_said(
    composed: Compose, run_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_job(composed("optimizer.steps=0", "seed=3"), Context(run_folder, overrides=["seed=3"]))
    assert "seed and init.amplitude decide nothing" in caplog.text
    caplog.clear()
    cfg = composed("optimizer.steps=0", "seed=3", "init=noise")
    run_job(cfg, Context(run_folder, overrides=["seed=3", "init=noise"]))
    assert "decide nothing" not in caplog.text


def test_a_hanging_logger_does_not_cost_the_record(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def hangs(*args: object, **kwargs: object) -> Iterator[NoSink]:
        yield NoSink()
        raise KeyboardInterrupt  # the user loses patience with an upload

    monkeypatch.setattr("nst.runs.recording.recorder.wandb_sink", hangs)
    with pytest.raises(KeyboardInterrupt):
        run_job(composed("optimizer.steps=1", "logger=wandb"), Context(run_folder))
    assert (run_folder / "record.json").is_file()


def test_the_pictures_that_were_used_are_recorded(composed: Compose, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), "red").save(tmp_path / "red.png")
    cfg = composed("init=image", f"init.image={tmp_path / 'red.png'}", "optimizer.steps=0")
    images = run_job(cfg, Context(tmp_path / "run"))["images"]
    assert set(images) == {"content", "style", "init.image"}
    assert images["content"] == {"source": "astronaut", "sha256": None}
    assert len(images["init.image"]["sha256"]) == 64


def test_verbose_says_what_the_record_holds(
    composed: Compose, run_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run_job(composed("optimizer.steps=1"), Context(run_folder))
    assert "PSNR" not in caplog.text
    caplog.clear()
    record = run_job(composed("optimizer.steps=1", "verbose=true"), Context(run_folder))
    said = [line for line in caplog.messages if "PSNR" in line]
    assert said == [
        f"similarity to the content: PSNR {record['psnr']:.1f} dB, SSIM {record['ssim']:.3f}"
    ]


@pytest.mark.parametrize("strength", [0, 1])
def test_an_end_of_strength_is_no_cause_for_a_warning(
    strength: int, composed: Compose, run_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = run_job(composed("optimizer.steps=5", f"strength={strength}"), Context(run_folder))
    assert "WARNING" not in caplog.text
    assert record["warnings"] == []


def interrupt_after(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Transfer.run

    def interrupted(self: Transfer, state: Any = None) -> Iterator[Progress]:
        for progress in whole(self, state):
            yield progress
            if progress.step == step:
                raise Interruption(signal.SIGTERM)

    monkeypatch.setattr(Transfer, "run", interrupted)


def test_an_interruption_keeps_the_picture_and_the_trace(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(3, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run_job(composed("optimizer.steps=9"), Context(run_folder))
    assert (run_folder / "image.png").is_file()
    trace = pd.read_csv(run_folder / "trace.csv")
    assert trace["step"].tolist() == [0, 1, 2, 3]
    record = json.loads((run_folder / "record.json").read_text())
    assert (record["status"], record["signal"], record["steps"]) == ("interrupted", "SIGTERM", 3)
    assert record["losses"]["total"] == pytest.approx(trace["total"].iloc[-1])
    assert read_checkpoint(run_folder / "checkpoint.pt").step == 3


def test_a_run_that_cannot_start_leaves_the_earlier_result(
    composed: Compose, run_folder: Path, tmp_path: Path
) -> None:
    run_job(composed("optimizer.steps=1"), Context(run_folder))
    earlier = contents(run_folder)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(InputError, match="not an image"):
        run_job(composed(f"content={tmp_path / 'broken.png'}"), Context(run_folder))
    assert contents(run_folder) == earlier


def test_an_interrupted_second_run_leaves_the_first_one_whole(
    composed: Compose,
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run_job(composed("optimizer.steps=1"), Context(run_folder))
    earlier = contents(run_folder)
    with monkeypatch.context() as patch:
        interrupt_after(3, patch)
        with pytest.raises(KeyboardInterrupt):
            run_job(composed("optimizer.steps=9"), Context(run_folder))
    assert contents(run_folder).items() >= earlier.items()
    assert "what there is of this run: " in caplog.text
    unfinished = run_folder / "unfinished"
    assert pd.read_csv(unfinished / "trace.csv")["step"].tolist() == [0, 1, 2, 3]
    assert (unfinished / "image.png").is_file()
    caplog.clear()
    assert run_job(composed("optimizer.steps=2"), Context(run_folder))["steps"] == 2
    assert set(contents(run_folder)) == set(earlier)
    assert "earlier result" not in caplog.text


@pytest.mark.slow
def test_pictures_of_a_second_run_reach_wandb(composed: Compose, run_folder: Path) -> None:
    cfg = composed("optimizer.steps=1", "snapshot_every=1", "logger=wandb")
    pictures = []
    for _ in range(2):
        run_job(cfg, Context(run_folder))
        pictures.append(len(list(run_folder.glob("wandb/offline-run-*/files/media/images/*"))))
    assert pictures == [3, 6]
    assert not (run_folder / "unfinished").exists()
