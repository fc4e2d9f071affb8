"""W&B fails in every way that it can: the run completes, with one warning, and loses seconds."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import pytest
import wandb

from nst.errors import Interruption
from nst.runs.context import Context
from nst.runs.job import run_job
from nst.runs.recording.tracking import Sink, wandb_sink
from nst.runs.recording.tracking.server import Server
from tests.conftest import Compose
from tests.wandb_server import KEY, WandbServer

ONLINE = ("logger=wandb", "logger.mode=online", "optimizer.steps=1")
LOST_SECONDS = 10


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was warned of on W&B's behalf; its own words go to its files, as a test below shows."""
    ours = [each for each in caplog.records if each.name.startswith("nst.runs.recording.tracking")]
    return [each.getMessage() for each in ours if each.levelno >= logging.WARNING]


def log_a_step(folder: Path, **options: Any) -> None:
    """An online run that logs a number, as a run does."""
    with wandb_sink(folder, **WHAT | options) as sink:
        sink.log(0, {"total": 1.0})
        sink.summarize({"psnr": 20.0})


WHAT: dict[str, Any] = {
    **{"mode": "online", "project": "p", "name": "n", "job_type": "transfer", "config": {}}
}


def stop(server: WandbServer) -> None:
    server.die()


def answer(status: int) -> Callable[[WandbServer], None]:
    def fail(server: WandbServer) -> None:
        server.status = status

    return fail


def hang(*where: str) -> Callable[[WandbServer], None]:
    def fail(server: WandbServer) -> None:
        server.silent = where

    return fail


FAILURES = {
    "nobody listens": (stop, "Connection refused"),
    "no answer": (hang("/"), "within 4 s"),
    "wrong key": (answer(401), "refuses the key, 401 Unauthorized"),
    "forbidden": (answer(403), "refuses the key, 403 Forbidden"),
    "broken": (answer(500), "answers 500"),
    "no such thing": (answer(404), "answers 404"),
    "cannot begin": (hang("UpsertBucket"), "Timed out initializing run"),
}


@pytest.mark.slow
@pytest.mark.parametrize("failure", FAILURES)
def test_a_server_that_cannot_be_used_costs_seconds_and_one_warning(
    composed: Compose,
    tmp_path: Path,
    server: WandbServer,
    caplog: pytest.LogCaptureFixture,
    failure: str,
) -> None:
    wandb.setup()  # W&B's own process takes its time to start, also where all is well
    fail, reason = FAILURES[failure]
    fail(server)
    started = time.monotonic()
    for name in ("one", "two"):
        log_a_step(tmp_path / name)
    assert time.monotonic() - started < LOST_SECONDS
    (warning,) = warnings_of(caplog)
    assert reason in warning
    assert "\n" not in warning
    (log,) = (tmp_path / "one").glob("wandb/*run-*")
    assert log.name.startswith("offline-run-")
    assert warning.endswith(f"wandb sync {log}")
    assert list((tmp_path / "two").glob("wandb/offline-run-*/*.wandb"))


def test_a_server_that_was_given_up_is_not_asked_again(
    tmp_path: Path, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.status = 500
    log_a_step(tmp_path / "one")
    asked = server.asked
    assert asked > 0
    log_a_step(tmp_path / "two")
    assert server.asked == asked
    assert len(warnings_of(caplog)) == 1


def test_another_key_is_another_chance(
    tmp_path: Path, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status = 401
    log_a_step(tmp_path / "one")
    server.status = 200
    monkeypatch.setenv("WANDB_API_KEY", "1" * 40)
    wandb.teardown()  # as in another session
    log_a_step(tmp_path / "two")
    assert server.run().exit_code == 0


@pytest.mark.parametrize(
    ("key", "reason"),
    [(None, "there is no key (log in with: wandb login)"), ("short", "must have 40+ characters")],
)
@pytest.mark.slow
def test_without_a_key_the_run_is_offline_and_nobody_is_asked_for_one(
    composed: Compose,
    run_folder: Path,
    server: WandbServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    key: str | None,
    reason: str,
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    record = run_job(composed(*ONLINE), Context(run_folder))
    assert record["status"] == "completed"
    (warning,) = warnings_of(caplog)
    assert reason in warning
    assert list(run_folder.glob("wandb/offline-run-*"))
    assert server.runs == {}


@pytest.mark.slow
@pytest.mark.parametrize("silent", [("/storage",), ("file_stream",), ("CreateRunFiles",)])
def test_an_upload_that_gets_no_answer_ends_in_seconds(
    tmp_path: Path, server: WandbServer, caplog: pytest.LogCaptureFixture, silent: tuple[str, ...]
) -> None:
    wandb.setup()
    started = time.monotonic()
    with wandb_sink(tmp_path, **WHAT) as sink:
        sink.log(0, {"total": 1.0})
        server.silent = silent
    assert time.monotonic() - started < LOST_SECONDS
    (warning,) = warnings_of(caplog)
    assert "takes too long (WANDB_FINISH_TIMEOUT=60 allows a minute)" in warning


@pytest.mark.slow
@pytest.mark.parametrize("fail", [stop, hang("/")], ids=["gone", "hangs"])
def test_a_batch_whose_server_dies_loses_no_more_than_one_run(
    tmp_path: Path,
    server: WandbServer,
    caplog: pytest.LogCaptureFixture,
    fail: Callable[[WandbServer], None],
) -> None:
    wandb.setup()
    with ExitStack() as runs:
        sinks: list[Sink] = [
            runs.enter_context(wandb_sink(tmp_path / str(number), **WHAT)) for number in range(6)
        ]
        for sink in sinks:
            sink.log(0, {"total": 1.0})
        fail(server)
        started = time.monotonic()
    wandb.teardown()  # what the end of the program waits for
    assert time.monotonic() - started < LOST_SECONDS
    assert len(warnings_of(caplog)) == 1


@pytest.mark.slow
def test_what_a_dying_server_did_not_take_is_uploaded_later(
    tmp_path: Path,
    server: WandbServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with wandb_sink(tmp_path, **WHAT) as sink:
        for step in range(5):
            sink.log(step, {"total": float(step)})
        server.die()
    (warning,) = warnings_of(caplog)
    command = shlex.split(warning.partition("wandb sync ")[2])
    wandb.teardown()
    with WandbServer() as another:
        monkeypatch.setenv("WANDB_BASE_URL", another.url)
        words = [sys.executable, "-m", "wandb", "sync", *command]
        subprocess.run(words, check=True, capture_output=True, timeout=120)
        run = another.run()
    assert [row["loss/total"] for row in run.history] == [0, 1, 2, 3, 4]
    assert run.exit_code == 0
    assert run.summary["status"] == "completed"


# --- the disk -------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(folder)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can make a small disk")
    yield folder
    wandb.teardown()  # it holds its files open
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, free: int) -> None:
    """Write a file that leaves so many bytes free."""
    room = os.statvfs(folder)
    (folder / "filler").write_bytes(bytes(room.f_bavail * room.f_frsize - free))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["offline", "online"])
@pytest.mark.parametrize("when", ["before", "during"])
def test_a_full_disk_of_wandb_costs_one_warning(
    composed: Compose,
    run_folder: Path,
    server: WandbServer,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    mode: str,
    when: str,
) -> None:
    monkeypatch.setenv("WANDB_DIR", str(small_disk))
    fill(small_disk, free=0 if when == "before" else 40_000)
    sizes = ("size=128", "snapshot_every=1", "optimizer.steps=3")
    record = run_job(composed(*ONLINE, *sizes, f"logger.mode={mode}"), Context(run_folder))
    assert record["status"] == "completed"
    assert json.loads((run_folder / "record.json").read_text()) == record
    (warning,) = warnings_of(caplog)
    assert "No space left on device" in warning
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_a_folder_that_wandb_cannot_write_into_costs_one_warning(
    composed: Compose,
    run_folder: Path,
    server: WandbServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: str,
) -> None:
    (run_folder.parent / "file").touch()
    monkeypatch.setenv("WANDB_DIR", str(run_folder.parent / "file"))
    record = run_job(composed(*ONLINE, f"logger.mode={mode}"), Context(run_folder))
    assert record["status"] == "completed"
    (warning,) = warnings_of(caplog)
    assert "Not a directory" in warning
    assert "not logged there" in warning


# --- how a run ends -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "exit_code"),
    [
        (None, "completed", 0),
        (RuntimeError("in the middle"), "failed", 1),
        (Interruption(signal.SIGINT), "interrupted", 130),
        (Interruption(signal.SIGTERM), "interrupted", 143),
        (KeyboardInterrupt(), "interrupted", 130),
    ],
)
def test_wandb_is_told_how_a_run_ended(
    tmp_path: Path,
    server: WandbServer,
    error: BaseException | None,
    status: str,
    exit_code: int,
) -> None:
    with pytest.raises(type(error)) if error else nullcontext():
        with wandb_sink(tmp_path, **WHAT) as sink:
            sink.log(0, {"total": 1.0})
            if error:
                raise error
    assert server.run().exit_code == exit_code
    assert server.run().summary["status"] == status


@pytest.mark.slow
def test_an_interrupted_run_does_not_wait_for_a_server_that_hangs(
    tmp_path: Path, server: WandbServer
) -> None:
    started = time.monotonic()
    with pytest.raises(Interruption), wandb_sink(tmp_path, **WHAT) as sink:
        sink.log(0, {"total": 1.0})
        server.silent = ("/",)
        started = time.monotonic()
        raise Interruption(signal.SIGTERM)
    assert time.monotonic() - started < 4
    wandb.teardown()
    assert time.monotonic() - started < LOST_SECONDS


def program(*arguments: str, cwd: Path, **options: Any) -> subprocess.Popen[str]:
    """Start ``run.py`` on a small run."""
    root = Path(__file__).resolve().parents[3]
    small = ("size=32", "init=noise", "report=false", "device=cpu", *arguments)
    command = [sys.executable, str(root / "run.py"), *small]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True, **options)


@pytest.mark.slow
@pytest.mark.parametrize("fail", [stop, hang("/")], ids=["gone", "hangs"])
def test_the_program_ends_soon_after_its_last_step_and_says_one_line(
    tmp_path: Path, server: WandbServer, fail: Callable[[WandbServer], None]
) -> None:
    process = program(
        *("logger.mode=online", "optimizer.steps=20", "hydra.run.dir=run"),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    while not server.runs and process.poll() is None:
        time.sleep(0.01)
    fail(server)
    printed, _ = process.communicate(timeout=120)
    ended = time.time()
    assert process.returncode == 0, printed
    assert ended - (tmp_path / "run" / "record.json").stat().st_mtime < LOST_SECONDS
    assert json.loads((tmp_path / "run" / "record.json").read_text())["status"] == "completed"
    plan, line, *result = printed.splitlines()
    assert plan.startswith("astronaut in the style of mosaic, 32×32, ")
    assert result[0] == "run/image.png"
    assert len(result) <= 3
    assert line.startswith("warning: ")
    assert "wandb sync --include-online run/wandb/run-" in line


@pytest.mark.slow
@pytest.mark.parametrize("fail", [None, hang("/")], ids=["works", "hangs"])
def test_a_program_that_is_terminated_tells_wandb_in_seconds(
    tmp_path: Path, server: WandbServer, fail: Callable[[WandbServer], None] | None
) -> None:
    process = program(
        *("logger.mode=online", "optimizer.steps=100000", "hydra.run.dir=run"),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    while not (server.runs and (tmp_path / "run" / "trace.csv").exists()):
        time.sleep(0.01)
        assert process.poll() is None
    if fail:
        fail(server)
    process.terminate()
    started = time.monotonic()
    printed, _ = process.communicate(timeout=120)
    assert time.monotonic() - started < LOST_SECONDS
    assert process.returncode == 143, printed
    assert "Traceback" not in printed
    assert (tmp_path / "run" / "image.png").exists()
    if not fail:
        assert server.run().exit_code == 143
        assert server.run().summary["status"] == "interrupted"


@pytest.mark.slow
def test_no_key_at_a_terminal_asks_for_none(tmp_path: Path, server: WandbServer) -> None:
    os.environ.pop("WANDB_API_KEY")  # the fixture puts it back
    ours, theirs = os.openpty()
    process = program(
        *("logger.mode=online", "optimizer.steps=1", "hydra.run.dir=run"),
        cwd=tmp_path,
        stdin=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    printed, _ = process.communicate(timeout=120)  # would wait for an answer
    os.close(ours)
    assert process.returncode == 0
    assert printed.count("W&B is offline: there is no key") == 1


# --- who is asked ---------------------------------------------------------------------------------


def test_a_server_that_works_is_no_obstacle(server: WandbServer) -> None:
    assert Server(server.url, KEY).obstacle(5) is None


def test_a_key_that_the_server_does_not_know_is_one(
    server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_on_Viewer", lambda variables: {"viewer": None})
    refusal = Server(server.url, KEY).obstacle(5)
    assert refusal is not None
    assert "refuses the key (log in anew with: wandb login --relogin)" in refusal


def test_a_portal_that_answers_for_wandb_is_one(
    server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "graphql", lambda *_: ["welcome to our hotel"])
    assert "is not W&B" in str(Server(server.url, KEY).obstacle(5))


def test_what_only_wandb_can_judge_is_none(server: WandbServer) -> None:
    """Too many requests, for example, and a token in the place of a key."""
    server.status = 429
    assert Server(server.url, KEY).obstacle(5) is None
    server.status = 401
    assert Server(server.url, None).obstacle(5) is None
