"""``hydra/launcher=batched``, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from nst.runs.memory.choice import MAX_BATCH
from nst.runs.recording.read import load_runs
from tests.end_to_end.test_run import QUICK, ROOT, cut_off, run, start

SWEEP = ["-m", *QUICK, "init=noise", "logger=none", "hydra.sweep.dir=sweep"]
BATCHED = [*SWEEP, "hydra/launcher=batched"]

SPY = """
from pathlib import Path
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback

class Spy(Callback):
    def note(self, text):
        with open("spied.txt", "a") as file:
            print(text, HydraConfig.get().job.num, file=file)

    def on_job_start(self, config, *, task_function, **kwargs):
        assert task_function.__name__ == "_job"
        assert Path(config.hydra.runtime.output_dir, ".hydra/hydra.yaml").is_file()
        self.note("start")

    def on_job_end(self, config, job_return, **kwargs):
        assert config.hydra.job.num == HydraConfig.get().job.num
        self.note(job_return.status.name)
"""

AUTO = "hydra.launcher.max_batch=auto"


def files(root: Path) -> set[str]:
    return {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_a_batched_sweep_leaves_what_a_plain_one_does(tmp_path: Path) -> None:
    sweep = ["seed=0,1", "loss.style_weight=30,300", "snapshot_every=1"]
    folders = [tmp_path / name for name in ("plain", "batched")]
    for folder, arguments in zip(folders, (SWEEP, BATCHED), strict=True):
        folder.mkdir()
        process = run(*arguments, *sweep, cwd=folder)
        assert process.returncode == 0, process.stderr
        assert process.stderr == ""
    assert files(folders[0]) == files(folders[1])
    plain, batched = (load_runs(folder) for folder in folders)
    assert plain["batch"].tolist() == [1] * 4
    assert batched["batch"].tolist() == [4] * 4
    for key in ("config_hash", "seed", "overrides"):
        assert plain[key].tolist() == batched[key].tolist()
    for a, b in zip(plain["losses.total"], batched["losses.total"], strict=True):
        assert a == pytest.approx(b, rel=2e-3)
    for folder in (folders[1] / "sweep").glob("*_*"):
        log = (folder / "nst.log").read_text()
        assert f"{folder.name}/image.png" in log  # its own result, and no other's
        assert log.count("image.png") == 1
        overrides = (folder / ".hydra" / "overrides.yaml").read_text()
        assert json.loads((folder / "record.json").read_text())["overrides"][0] in overrides


@pytest.mark.slow
def test_a_job_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    """One has no picture, one no finite loss; both are reported as Hydra reports failures."""
    cut_off(tmp_path / "broken.png")
    (tmp_path / "spy.py").write_text(SPY)
    process = run(
        *BATCHED, "content=coffee,broken.png", "loss.style_weight=10,1e30,20",
        "loss.style_layer_weights=[1e30,1,1,1,1]",
        "+hydra.callbacks.spy._target_=spy.Spy",
        cwd=tmp_path, PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    assert process.returncode != 0
    assert "broken.png: " in process.stdout + process.stderr
    assert "start image's loss is not finite" in process.stdout + process.stderr
    completed = load_runs(tmp_path / "sweep")
    assert completed["config.loss.style_weight"].tolist() == [10, 20]
    spied = (tmp_path / "spied.txt").read_text().splitlines()
    assert spied[:3] == ["start 0", "start 1", "start 2"]  # together
    assert spied[3:6] == ["COMPLETED 2", "FAILED 1", "COMPLETED 0"]
    # those without a picture are together, too, until it is read
    assert spied[6:] == [*(f"start {i}" for i in (3, 4, 5)), *(f"FAILED {i}" for i in (5, 4, 3))]
    (log,) = (tmp_path / "sweep").glob("1_*/nst.log")
    assert "not finite" in log.read_text().splitlines()[-1]


@pytest.mark.slow
def test_jobs_that_cannot_share_run_in_batches_of_their_own(tmp_path: Path) -> None:
    process = run(
        *BATCHED, "content_layer=conv_2,conv_4", "seed=0,1,2", "hydra.launcher.max_batch=2",
        cwd=tmp_path,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "6 jobs in sweep\nin batches of 2, 1, 2, 1\njob 1 of 6: " in process.stdout
    table = load_runs(tmp_path / "sweep")
    assert table["batch"].tolist() == [2, 2, 1, 2, 2, 1]


@pytest.mark.slow
def test_a_folder_of_photographs_of_any_name_and_size_goes_on_where_one_is_missing(
    tmp_path: Path,
) -> None:
    photos = tmp_path / "my photos"
    photos.mkdir()
    sizes = {"größe, ü.png": (60, 48), "[2] a=b.jpg": (60, 48), "it's $HOME (1).png": (64, 40)}
    for name, size in sizes.items():
        Image.linear_gradient("L").resize(size).save(photos / name)
    given = ["-m", "content=my photos/", "size=original", "optimizer.steps=2", "device=cpu"]
    given += ["logger=none", "hydra.sweep.dir=sweep"]
    process = run(*given, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[:4] == [
        "3 jobs in sweep",
        "3 pictures in my photos/",
        "pictures of one size are made at once; hydra/launcher=basic makes one after the other",
        "in batches of 2, 1",
    ]
    table = load_runs(tmp_path / "sweep").sort_values("config.content")
    assert table["config.content"].tolist() == [f"my photos/{name}" for name in sorted(sizes)]
    assert table["config.size"].tolist() == [60, 60, 64]
    (Path(table["folder"].iloc[0]) / "record.json").unlink()
    process = run(*given, "resume=true", cwd=tmp_path)
    assert process.stdout.count("is complete already, and stays") == 2
    assert len(load_runs(tmp_path / "sweep")) == 3


def test_a_wrong_size_of_batch_is_one_line(tmp_path: Path) -> None:
    process = run(*BATCHED, "seed=0,1", "hydra.launcher.max_batch=500", cwd=tmp_path)
    assert process.returncode != 0
    assert (
        process.stderr
        == f"error: hydra.launcher.max_batch=500: expected 1 to {MAX_BATCH}, or auto\n"
    )
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
def test_an_interrupted_batch_goes_on_together(tmp_path: Path) -> None:
    sweep = [*BATCHED, "seed=0,1", "optimizer.steps=800", "report=false"]
    whole = run(*sweep, "hydra.sweep.dir=whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    with subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *sweep], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            traces = (tmp_path / "sweep").rglob
            wait_for(lambda: sum(t.stat().st_size > 0 for t in traces("trace.csv")) == 2)
            process.terminate()
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 143
    assert "\ninterrupted; what was computed is in sweep\n" in errors
    statuses = [json.loads(file.read_text())["status"] for file in traces("record.json")]
    assert statuses == ["interrupted"] * 2
    assert len(list(traces("image.png"))) == 2
    resumed = run(*sweep, "resume=true", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    table = load_runs(tmp_path / "sweep")
    assert table["batch"].tolist() == [2, 2]
    assert table["resumed_at"].nunique() == 1
    for folder in map(Path, table["folder"]):
        expected = tmp_path / "whole" / folder.name / "image.png"
        assert (folder / "image.png").read_bytes() == expected.read_bytes()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_a_batch_may_be_as_large_as_memory_allows(tmp_path: Path) -> None:
    process = run(*BATCHED, "seed=0,1,2", AUTO, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert load_runs(tmp_path / "sweep")["batch"].tolist() == [3, 3, 3]


@pytest.mark.slow
def test_an_impossible_job_fails_alone_where_memory_decides(tmp_path: Path) -> None:
    cut_off(tmp_path / "broken.png")
    process = run(*BATCHED, "content=coffee,broken.png", AUTO, cwd=tmp_path)
    assert process.returncode == 1
    assert "broken.png: broken or cut off" in process.stdout
    assert len(load_runs(tmp_path / "sweep")) == 1


@pytest.mark.slow
def test_a_sweep_of_more_seeds_than_a_batch_takes(tmp_path: Path) -> None:
    """Each job of a batch nests stack frames, so as many as memory allows would overrun them."""
    seeds = ["seed=range(80)", "size=32", "optimizer.steps=1", AUTO, "report=false"]
    command = [sys.executable, str(ROOT / "run.py"), *BATCHED, *seeds]
    process = start(command, tmp_path, {}, timeout=900)
    assert process.returncode == 0, process.stderr
    table = load_runs(tmp_path / "sweep")
    assert sorted(table["seed"]) == list(range(80))
    assert table["batch"].max() <= MAX_BATCH
