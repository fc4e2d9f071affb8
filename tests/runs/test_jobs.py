"""Several runs at once, each with a folder of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nst import config
from nst.config import Config
from nst.errors import InputError
from nst.runs.context import Context
from nst.runs.job import conclude, run_job, run_jobs
from nst.runs.recording.trace import Trace
from tests.conftest import Compose
from tests.runs.recording.test_folder import contents
from tests.runs.recording.test_tracking import read_back
from tests.runs.test_job import interrupt_after


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
        for key in ("losses", "terms", "losses_unweighted", "terms_unweighted"):
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
    infinite = ("loss.style_weight=1e30", "loss.style_layer_weights=[1e30,1,1,1,1]")
    own = [("seed=0",), ("seed=1",), infinite, ("seed=3",)]
    outcomes = run_jobs(several(composed, tmp_path, *own))
    batch = [outcome.get("batch") if isinstance(outcome, dict) else None for outcome in outcomes]
    assert batch == [2, 2, None, 1]  # halves of halves
    assert isinstance(outcomes[2], InputError)
    assert "4 runs at once failed" in caplog.text
    record = json.loads((tmp_path / "2" / "record.json").read_text())
    assert record["status"] == "failed"
    assert "not finite" in record["error"]
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
    record = json.loads((tmp_path / "1" / "record.json").read_text())
    assert (record["status"], record["error"]) == ("failed", "disk full")


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
