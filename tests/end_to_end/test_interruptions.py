"""Signals, full disks and folders in use, as a user, a shell and a scheduler meet them."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nst.runs.recording.output import read_origin
from nst.runs.recording.read import load_runs
from tests.end_to_end.test_run import QUICK, ROOT, run

ENDLESS = ["size=48", "optimizer.steps=100000", "device=cpu", "logger=none"]


def begin(*arguments: str, cwd: Path, ignored: int | None = None) -> subprocess.Popen[str]:
    """run.py in the background, once it makes steps; a signal may be ignored from the start."""
    command = [sys.executable, str(ROOT / "run.py"), *arguments]
    process = subprocess.Popen(
        command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=None if ignored is None else lambda: _ignore(ignored),
    )  # fmt: skip
    limit = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < limit:
        if any(len(file.read_bytes()) > 1000 for file in cwd.rglob("trace.csv")):
            return process
        time.sleep(0.05)
    raise AssertionError(process.communicate())


def _ignore(number: int) -> None:
    signal.signal(number, signal.SIG_IGN)


def the_record(root: Path) -> dict[str, object]:
    (file,) = root.rglob("record.json")
    record: dict[str, object] = json.loads(file.read_text())
    return record


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_a_picture_and_a_way_to_go_on(tmp_path: Path, name: str) -> None:
    number = signal.Signals[name]
    process = begin(*ENDLESS, "hydra.run.dir=out", "output=me.jpg", cwd=tmp_path)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in output + errors
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"image.png", "trace.csv", "checkpoint.pt", "record.json", "config.yaml"} <= written
    record = the_record(tmp_path)
    assert (record["status"], record["signal"]) == ("interrupted", name)
    steps = len((tmp_path / "out" / "trace.csv").read_text().splitlines()) - 2
    assert record["steps"] == steps
    said, command = errors.strip().splitlines()
    assert said == "interrupted; what was computed is in out"
    assert "hydra.run.dir=out resume=true" in command
    assert f"interrupted by {name}" in (tmp_path / "out" / "nst.log").read_text()
    assert "the picture so far is in me.jpg, too" in output
    assert (read_origin(tmp_path / "me.jpg") or {})["status"] == "interrupted"


@pytest.mark.slow
def test_signals_that_are_ignored_from_the_start_stay_ignored(tmp_path: Path) -> None:
    """As bash has it for jobs in the background, and nohup for a closed terminal."""
    process = begin(*ENDLESS, "hydra.run.dir=out", cwd=tmp_path, ignored=signal.SIGINT)
    process.send_signal(signal.SIGINT)
    time.sleep(1.5)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert the_record(tmp_path)["signal"] == "SIGTERM"


@pytest.mark.slow
def test_the_command_that_an_interrupted_sweep_prints_goes_on(tmp_path: Path) -> None:
    sweep = ["-m", "init=noise", "seed=0,1", *ENDLESS[:1], "optimizer.steps=400", *ENDLESS[2:]]
    process = begin(*sweep, cwd=tmp_path)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    said, again, report = errors.strip().splitlines()
    assert said.startswith("interrupted; what was computed is in outputs/sweeps/")
    assert not list(tmp_path.rglob("report.html"))
    begun = [json.loads(file.read_text()) for file in tmp_path.rglob("record.json")]
    assert "interrupted" in [record["status"] for record in begun]
    command = shlex.split(again.removeprefix("to go on: "))
    assert command[:2] == ["python", str(ROOT / "run.py")]
    resumed = run(*command[2:], cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    table = load_runs(tmp_path)
    assert table["seed"].tolist() == [0, 1]
    assert table["resumed_at"].notna().any()
    assert list(tmp_path.rglob("report.html"))
    assert "experiments.report outputs/sweeps/" in report
    once_more = run(*command[2:], cwd=tmp_path)
    assert once_more.returncode == 0
    assert once_more.stdout.count("is complete already, and stays") == 2


@pytest.mark.slow
def test_a_sweep_with_a_failing_job_ends_with_1_and_says_how_to_run_what_is_missing(
    tmp_path: Path,
) -> None:
    axis = "loss.style_weight=1e30,50"  # too large to be computed, which only the run can tell
    sweep = ("-m", axis, "loss=gatys2015", *QUICK, "logger=none", "hydra.sweep.dir=out")
    process = run(*sweep, cwd=tmp_path)
    assert process.returncode == 1
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith("error: 1 of 2 jobs have no result; to run those alone: python ")
    assert last.endswith("hydra.sweep.dir=out resume=true")
    assert load_runs(tmp_path)["config.loss.style_weight"].tolist() == [50]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "loss is not finite" in page


@pytest.mark.slow
def test_sweeps_that_start_in_the_same_second_have_a_folder_each(tmp_path: Path) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, str(ROOT / "run.py"), "-m", *QUICK, "logger=none", *axis],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for axis in (["init=noise", "seed=0,1"], ["style=swirl,ink"])
    ]  # fmt: skip
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    plans = [json.loads(file.read_text()) for file in tmp_path.rglob("sweep.json")]
    assert len(plans) == 2
    assert len(list(tmp_path.rglob("report.html"))) == 2


def test_resuming_wants_a_folder(tmp_path: Path) -> None:
    process = run("resume=true", cwd=tmp_path)
    assert process.returncode == 2
    (line,) = process.stderr.strip().splitlines()
    assert line.startswith("error: resume=true: name the folder that a run goes on in")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_sweep_goes_on_only_where_the_same_sweep_was(tmp_path: Path) -> None:
    sweep = ["-m", "init=noise", *QUICK, "logger=none", "report=false", "hydra.sweep.dir=out"]
    assert run(*sweep, "seed=0,1", cwd=tmp_path).returncode == 0
    process = run(*sweep, "seed=1,2", "resume=true", cwd=tmp_path)
    assert process.returncode == 2
    (line,) = process.stderr.strip().splitlines()
    assert "holds another sweep" in line
    # how runs are recorded makes no other sweep of it
    assert run(*sweep, "seed=0,1", "resume=true", "threads=1", cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_a_glob_sweeps_and_is_reported(tmp_path: Path) -> None:
    sweep = ["-m", "loss=glob(gatys*)", *QUICK, "logger=none", "hydra.sweep.dir=out"]
    process = run(*sweep, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    plan = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert [job[0] for job in plan["jobs"]] == ["loss=gatys2015", "loss=gatys_notebook"]
    assert (tmp_path / "out" / "report.html").is_file()
    for wrong in ("loss=glob(nothing*)", "content=glob(*.png)"):
        process = run("-m", wrong, *QUICK, "hydra.sweep.dir=none", cwd=tmp_path)
        assert process.returncode == 2
        (line,) = process.stderr.strip().splitlines()
        assert line.startswith("error: ")
        assert not (tmp_path / "none").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 kB, for whoever may mount one."""
    disk = tmp_path / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if os.name != "posix" or os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_one_line(tmp_path: Path, small_disk: Path) -> None:
    more = ["size=96", "optimizer.steps=40", "snapshot_every=1", "device=cpu", "logger=none"]
    process = run(*more, f"hydra.run.dir={small_disk}/out", cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.strip().splitlines()
    assert line.startswith(f"error: {small_disk}/out/")
    assert "No space left on device; free some space" in line
    assert "Traceback" not in process.stdout


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    process = run(*QUICK, "logger=none", "hydra.run.dir=file/out", cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert "file" in line
