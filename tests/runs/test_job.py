from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from nst import config
from nst.config import Config
from nst.errors import InputError
from nst.pictures.files import to_tensor
from nst.runs.context import Context
from nst.runs.job import conclude, run_job, run_jobs
from nst.runs.recording.recorder import LossRows, Recorder
from nst.runs.recording.trace import Trace
from nst.runs.recording.tracking import NoSink
from nst.runs.transfer import Progress, Transfer
from tests.conftest import Compose
from tests.runs.recording.test_folder import contents
from tests.runs.recording.test_tracking import read_back

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
    assert list(trace.columns) == [
        *("step", "seconds", "total", "content", "style", "tv", "pixel_statistics"),
        *terms,
    ]
    assert np.allclose(
        trace[["content", "style", "tv", "pixel_statistics"]].sum(axis=1), trace["total"], rtol=1e-5
    )
    assert np.allclose(trace[terms[1:]].sum(axis=1), trace["style"], rtol=1e-5)


def test_final_losses_are_those_of_the_saved_image(composed: Compose, run_folder: Path) -> None:
    cfg = composed("optimizer.steps=6", "optimizer.clamp=false", "init=noise", "init.scale=0.6")
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
    assert "seed and init.scale decide nothing" in caplog.text
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


def interrupt_after(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Transfer.run

    def interrupted(self: Transfer) -> Iterator[Progress]:
        for progress in whole(self):
            yield progress
            if progress.step == step:
                raise KeyboardInterrupt

    monkeypatch.setattr(Transfer, "run", interrupted)


class Row:
    """What :class:`LossRows` needs of a run: its number, and where it writes."""

    def __init__(self, number: int):
        self.number, self.written = number, list[tuple[int, float, list[float]]]()

    def attempt(self, call: Callable[..., None], *args: Any) -> None:
        call(*args)

    def write(self, step: int, seconds: float, values: list[float]) -> None:
        self.written.append((step, seconds, values))


def progress(step: int, settled: bool) -> Progress:
    """A step of two runs whose losses are (step, −step); half a second each."""
    terms = torch.tensor([[float(step)], [-float(step)]])
    return Progress(step, step, torch.zeros(2, 3, 1, 1), terms, torch.zeros(2), settled)


def test_losses_are_read_where_the_device_was_waited_for() -> None:
    """And a block's seconds are spread over its steps."""
    runs = [Row(0), Row(1)]
    with LossRows(cast("list[Recorder]", runs)) as rows:
        rows.add(progress(0, settled=True))
        for step in (1, 2, 3):
            rows.add(progress(step, settled=False))
        assert [len(run.written) for run in runs] == [1, 1]
        rows.add(progress(4, settled=True))
        assert runs[1].written == [(n, n / 2, [-float(n)]) for n in range(5)]
        rows.add(progress(5, settled=False))
    assert [step for step, _, _ in runs[0].written] == list(range(6))  # a block cut short, too


def test_an_interruption_keeps_the_picture_and_the_trace(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(3, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run_job(composed("optimizer.steps=9"), Context(run_folder))
    assert (run_folder / "image.png").is_file()
    assert pd.read_csv(run_folder / "trace.csv")["step"].tolist() == [0, 1, 2, 3]
    assert not (run_folder / "record.json").exists()


def several(composed: Compose, root: Path, *each: tuple[str, ...]) -> list[tuple[Config, Context]]:
    shared = ("init=noise", "optimizer.steps=3")
    return [(composed(*shared, *own), Context(root / str(i))) for i, own in enumerate(each)]


def test_many_runs_at_once_have_a_folder_each(composed: Compose, tmp_path: Path) -> None:
    own = [("seed=0",), ("seed=1", "snapshot_every=2"), ("seed=2", "style=swirl", "style_size=48")]
    jobs = several(composed, tmp_path, *own)
    outcomes = run_jobs(jobs)
    for i, (outcome, (cfg, _)) in enumerate(zip(outcomes, jobs, strict=True)):
        record = json.loads((tmp_path / str(i) / "record.json").read_text())
        assert record == outcome
        assert record["batch"] == 3
        assert record["seconds"] == pytest.approx(record["batch_seconds"] / 3, abs=1e-3)
        assert record["config_hash"] == config.config_hash(cfg)
        alone = run_job(cfg, Context(tmp_path / f"alone_{i}"))
        assert alone["batch"] == 1
        assert alone["seconds"] == alone["batch_seconds"]
        assert set(alone) == set(record)
        for key in ("losses", "terms"):
            assert record[key] == pytest.approx(alone[key], rel=2e-3, abs=1e-6)
        assert record["images"] == alone["images"]
        for key in ("psnr", "ssim", "restarts", "steps", "width"):
            assert record[key] == pytest.approx(alone[key], rel=1e-3, abs=1e-4), key
        a, b = (np.asarray(Image.open(tmp_path / d / "image.png")) for d in (str(i), f"alone_{i}"))
        assert np.abs(a.astype(int) - b).max() <= 1
        assert pd.read_csv(tmp_path / str(i) / "trace.csv")["step"].tolist() == [0, 1, 2, 3]
        with Image.open(tmp_path / str(i) / "sheet.png") as x:
            with Image.open(tmp_path / f"alone_{i}" / "sheet.png") as y:
                assert x.size == y.size
    assert [(tmp_path / str(i) / "snapshots").is_dir() for i in range(3)] == [False, True, False]


@pytest.mark.slow
def test_a_run_that_cannot_start_leaves_the_others_alone(
    composed: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = [("seed=0",), ("seed=1",), ("loss.style_weight=1e300",), ("seed=3",)]
    outcomes = run_jobs(several(composed, tmp_path, *own))
    batch = [outcome.get("batch") if isinstance(outcome, dict) else None for outcome in outcomes]
    assert batch == [2, 2, None, 1]  # halves of halves
    assert isinstance(outcomes[2], InputError)
    assert "4 runs at once failed" in caplog.text
    assert not (tmp_path / "2" / "record.json").exists()
    with pytest.raises(InputError, match="not finite"):
        conclude(outcomes[2], Context(tmp_path))


def test_a_folder_that_fails_ends_its_own_run(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Trace.write

    def full(self: Trace, step: int, *args: Any) -> None:
        if step == 2 and "/1/" in self._file.name:
            raise OSError("disk full")
        write(self, step, *args)

    monkeypatch.setattr(Trace, "write", full)
    outcomes = run_jobs(several(composed, tmp_path, ("seed=0",), ("seed=1",)))
    assert isinstance(outcomes[0], dict)
    assert str(outcomes[1]) == "disk full"
    assert (tmp_path / "1" / "image.png").is_file()
    assert not (tmp_path / "1" / "record.json").exists()


@pytest.mark.slow
def test_runs_of_a_batch_have_a_wandb_run_each(composed: Compose, tmp_path: Path) -> None:
    jobs = several(composed, tmp_path, ("seed=0", "logger=wandb"), ("seed=1", "logger=wandb"))
    for outcome, (_, context) in zip(run_jobs(jobs), jobs, strict=True):
        assert isinstance(outcome, dict)
        text = json.dumps(read_back(context.folder))
        assert outcome["config_hash"] in text
        assert f"{outcome['losses']['total']:.12g}"[:6] in text


def test_an_interrupted_batch_keeps_every_picture(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(several(composed, tmp_path, ("seed=0",), ("seed=1",)))
    for i in "01":
        assert (tmp_path / i / "image.png").is_file()
        assert pd.read_csv(tmp_path / i / "trace.csv")["step"].tolist() == [0, 1, 2]


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


def test_a_folder_that_is_refused_leaves_the_others_of_a_batch_alone(
    composed: Compose, tmp_path: Path
) -> None:
    jobs = several(composed, tmp_path, ("seed=0",), ("seed=1",), ("seed=2",))
    jobs.append((jobs[0][0], jobs[0][1]))
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "style.png").write_text("mine")
    outcomes = run_jobs(jobs)
    batch = [outcome.get("batch") if isinstance(outcome, dict) else None for outcome in outcomes]
    assert batch == [2, None, 2, None]
    assert "holds style.png" in str(outcomes[1])
    assert "another run's folder" in str(outcomes[3])
    assert contents(tmp_path / "1") == {"style.png": b"mine"}
