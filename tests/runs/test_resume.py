"""Runs that go on after they were interrupted or killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pandas as pd
import pytest
from PIL import Image

from nst.durable import in_use
from nst.errors import InputError, Interruption
from nst.runs.context import Context
from nst.runs.job import run_job, run_jobs
from nst.runs.recording.checkpoint import CHECKPOINT, Due, read_checkpoint
from nst.runs.recording.recorder import Recorder
from tests.conftest import Compose
from tests.runs.recording.test_folder import contents
from tests.runs.test_job import interrupt_after

TASKS = [
    ["optimizer.steps=8"],
    ["optimizer=adam", "optimizer.steps=8"],
    ["optimizer=sgd", "optimizer.steps=8", "optimizer.momentum=0.5"],
    ["optimizer.steps=4", "passes=[{scale: 1.5, steps: 4}]"],
    ["optimizer.steps=8", "precision=bfloat16"],
    ["task=texture", "optimizer.steps=8", "init.amplitude=0.3"],
]


def losses(folder: Path) -> pd.DataFrame:
    """The trace without the seconds, which no two runs share."""
    return pd.read_csv(folder / "trace.csv", dtype=str).drop(columns="seconds")


def interrupted(
    composed: Compose, folder: Path, step: int, monkeypatch: pytest.MonkeyPatch, *overrides: str
) -> None:
    with monkeypatch.context() as patched, pytest.raises(Interruption):
        interrupt_after(step, patched)
        run_job(composed(*overrides), Context(folder))


EVERY = [(overrides, step) for overrides in TASKS for step in (0, 3, 8)]
FAST = [(TASKS[0], 3)]


@pytest.mark.parametrize(
    ("overrides", "step"),
    [pytest.param(*each, marks=[] if each in FAST else pytest.mark.slow) for each in EVERY],
)
def test_a_continued_run_equals_the_uninterrupted_one_byte_for_byte(
    composed: Compose,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overrides: list[str],
    step: int,
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = run_job(composed(*overrides), Context(whole))
    interrupted(composed, parts, step, monkeypatch, *overrides)
    record = run_job(composed(*overrides, "resume=true"), Context(parts))
    assert (parts / "image.png").read_bytes() == (whole / "image.png").read_bytes()
    assert losses(parts).equals(losses(whole))
    same = ("losses", "terms", "psnr", "restarts", "steps", "config_hash", "warnings")
    for key in (*same, "judged", "last_tenth"):
        assert record[key] == expected[key]
    assert (record["status"], record["resumed_at"]) == ("completed", step)
    assert set(contents(parts)) == set(contents(whole))  # the checkpoint is gone


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_checkpoint(composed: Compose, tmp_path: Path) -> None:
    """What a kill leaves: a checkpoint, a trace that is longer and half a row, and no record."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    steps = ("optimizer.steps=7", "checkpoint_every=3")
    run_job(composed(*steps), Context(whole))
    leave_as_killed(composed, killed, *steps)
    with (killed / "trace.csv").open("a") as trace:
        trace.write("8,0.5,1")
    record = run_job(composed(*steps, "resume=true"), Context(killed))
    assert record["resumed_at"] == 6
    assert losses(killed).equals(losses(whole))
    assert (killed / "image.png").read_bytes() == (whole / "image.png").read_bytes()


def leave_as_killed(composed: Compose, folder: Path, *overrides: str) -> None:
    """A folder as a run leaves it that is killed just before it is complete."""
    process = multiprocessing.get_context("spawn").Process(
        target=_run_and_die, args=(composed(*overrides), folder)
    )
    process.start()
    process.join()
    assert process.exitcode == -9
    assert (folder / CHECKPOINT).is_file()
    assert not (folder / "record.json").exists()


def _run_and_die(cfg: object, folder: Path) -> None:
    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with patch.object(Recorder, "finish", die):
        run_job(cast(Any, cfg), Context(folder))


def test_a_run_without_a_checkpoint_starts_anew(composed: Compose, run_folder: Path) -> None:
    record = run_job(composed("optimizer.steps=1", "resume=true"), Context(run_folder))
    assert (record["status"], record["resumed_at"]) == ("completed", None)


def test_a_complete_run_stays_as_it_is(
    composed: Compose, run_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = composed("optimizer.steps=1")
    first = run_job(cfg, Context(run_folder))
    before = contents(run_folder)
    caplog.set_level("INFO")
    # what only says how a run is recorded makes no other run of it
    again = composed("optimizer.steps=1", "resume=true", "snapshot_every=1", "threads=1")
    assert run_job(again, Context(run_folder)) == first
    assert contents(run_folder) == before
    assert "is complete already" in caplog.text


def test_a_complete_run_of_another_config_is_no_place_to_go_on(
    composed: Compose, run_folder: Path
) -> None:
    run_job(composed("optimizer.steps=1"), Context(run_folder))
    before = contents(run_folder)
    other = composed("optimizer.steps=2", "loss.tv_weight=3", "resume=true")
    with pytest.raises(InputError, match=r"differs in loss\.tv_weight, optimizer\.steps;"):
        run_job(other, Context(run_folder))
    assert contents(run_folder) == before


@pytest.mark.slow
def test_a_checkpoint_of_another_config_is_not_gone_on_from(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(composed, run_folder, 2, monkeypatch, "optimizer.steps=4")
    before = (run_folder / "record.json").read_bytes()
    with pytest.raises(InputError, match=r"interrupted, which differs in optimizer\.steps; give"):
        run_job(composed("optimizer.steps=3", "resume=true"), Context(run_folder))
    assert (run_folder / "record.json").read_bytes() == before
    assert run_job(composed("optimizer.steps=4", "resume=true"), Context(run_folder))["resumed_at"]


@pytest.mark.slow
def test_a_picture_that_changed_makes_another_run(
    composed: Compose, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "me.png"
    Image.radial_gradient("L").resize((48, 32)).save(picture)
    overrides = (f"content={picture}", "optimizer.steps=4")
    interrupted(composed, run_folder, 2, monkeypatch, *overrides)
    Image.linear_gradient("L").resize((48, 32)).save(picture)
    assert run_job(composed(*overrides, "resume=true"), Context(run_folder))["resumed_at"] is None
    Image.radial_gradient("L").resize((48, 32)).save(picture)
    with pytest.raises(InputError, match="differs in the files of its pictures"):
        run_job(composed(*overrides, "resume=true"), Context(run_folder))


@pytest.mark.slow
def test_a_run_anew_keeps_what_an_interrupted_one_made_until_it_is_complete(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(composed, run_folder, 3, monkeypatch, "optimizer.steps=9")
    before = contents(run_folder)
    interrupted(composed, run_folder, 1, monkeypatch, "optimizer.steps=5")
    assert contents(run_folder).items() >= before.items()
    assert run_job(composed("optimizer.steps=2"), Context(run_folder))["status"] == "completed"
    assert not (run_folder / CHECKPOINT).exists()
    assert not (run_folder / "unfinished").exists()


@pytest.mark.slow
def test_a_run_beside_a_complete_one_goes_on_where_it_was(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another run than the one whose result stands in the folder."""
    run_job(composed("optimizer.steps=1"), Context(run_folder))
    interrupted(composed, run_folder, 2, monkeypatch, "optimizer.steps=4")
    assert (run_folder / "unfinished" / CHECKPOINT).is_file()
    record = run_job(composed("optimizer.steps=4", "resume=true"), Context(run_folder))
    assert (record["resumed_at"], record["steps"]) == (2, 4)
    assert json.loads((run_folder / "record.json").read_text())["steps"] == 4
    assert not (run_folder / "unfinished").exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 half an archive"])
@pytest.mark.slow
def test_a_broken_checkpoint_is_said(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    interrupted(composed, run_folder, 2, monkeypatch, "optimizer.steps=4")
    (run_folder / CHECKPOINT).write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint\.pt is no checkpoint to go on from"):
        run_job(composed("optimizer.steps=4", "resume=true"), Context(run_folder))


@pytest.mark.slow
def test_a_batch_goes_on_together(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is the same, byte for byte, as the batch that was not interrupted."""

    def jobs(name: str, *more: str) -> list[tuple]:  # type: ignore[type-arg]
        own = [("seed=0",), ("seed=1", "style=swirl"), ("seed=2", "loss.style_weight=9")]
        every = ("init=noise", "optimizer.steps=6", *more)
        return [
            (composed(*every, *each), Context(tmp_path / name / str(i)))
            for i, each in enumerate(own)
        ]

    run_jobs(jobs("whole"))
    with monkeypatch.context() as patched, pytest.raises(Interruption):
        interrupt_after(4, patched)
        run_jobs(jobs("parts"))
    assert read_checkpoint(tmp_path / "parts" / "1" / CHECKPOINT).step == 4
    records = run_jobs(jobs("parts", "resume=true"))
    for number, record in enumerate(records):
        assert isinstance(record, dict)
        assert (record["resumed_at"], record["batch"]) == (4, 3)
        whole, parts = (tmp_path / name / str(number) for name in ("whole", "parts"))
        assert (parts / "image.png").read_bytes() == (whole / "image.png").read_bytes()
        assert losses(parts).equals(losses(whole))


@pytest.mark.slow
def test_a_batch_whose_runs_stand_at_different_steps_goes_on_one_by_one(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ("init=noise", "optimizer.steps=4")
    for number, step in enumerate((1, 3)):
        folder = tmp_path / str(number)
        interrupted(composed, folder, step, monkeypatch, *overrides, f"seed={number}")
    jobs = [
        (composed(*overrides, f"seed={n}", "resume=true"), Context(tmp_path / str(n)))
        for n in range(3)
    ]
    records = [record for record in run_jobs(jobs) if isinstance(record, dict)]
    assert [record["resumed_at"] for record in records] == [1, 3, None]


def test_a_failed_run_says_why_and_is_made_again(
    composed: Compose, run_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    with pytest.raises(InputError):
        run_job(composed(f"style={tmp_path / 'bad.png'}"), Context(run_folder, overrides=["a=1"]))
    record = json.loads((run_folder / "record.json").read_text())
    assert record["status"] == "failed"
    assert "bad.png: text, not an image" in record["error"]
    assert (record["error_type"], record["overrides"]) == ("InputError", ["a=1"])
    again = composed("optimizer.steps=1", "resume=true")
    assert run_job(again, Context(run_folder))["status"] == "completed"


def test_two_runs_do_not_share_a_folder_at_once(composed: Compose, run_folder: Path) -> None:
    with in_use(run_folder, "run"):
        with pytest.raises(InputError, match="another run is at work in"):
            run_job(composed("optimizer.steps=1"), Context(run_folder))
    shutil.rmtree(run_folder)
    assert run_job(composed("optimizer.steps=1"), Context(run_folder))["status"] == "completed"


def test_checkpoints_are_due_every_so_many_steps_or_about_every_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    assert [step for step in range(7) if Due(3)(step)] == [3, 6]
    assert not any(Due(0)(step) for step in range(100))
    due = Due("auto")
    assert not due(10)
    now[0] = 61.0
    assert due(11)
    due.took(0.5)
    now[0] += 59.0
    assert not due(12)
    now[0] += 2.0
    assert due(13)
    due.took(30.0)  # a slow disk: every ten minutes
    now[0] += 590.0
    assert not due(14)
    now[0] += 20.0
    assert due(15)


def test_a_second_run_leaves_the_one_at_work_alone(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused, and writes nothing into the folder."""
    cfg = composed("optimizer.steps=2")
    refused: list[Any] = []
    see = Recorder.see

    def second(self: Recorder, progress: Any) -> None:
        see(self, progress)
        if progress.step == 1 and not refused:
            refused.append(run_jobs([(cfg, Context(run_folder))])[0])

    monkeypatch.setattr(Recorder, "see", second)
    assert run_job(cfg, Context(run_folder))["status"] == "completed"
    assert "another run is at work" in str(refused[0])


@pytest.mark.slow
def test_a_signal_while_a_batch_is_written_takes_no_result_away(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run is complete, the second goes on from its last step, which it has made."""
    jobs = [
        (composed("init=noise", "optimizer.steps=3", f"seed={n}"), Context(tmp_path / str(n)))
        for n in range(2)
    ]
    finish = Recorder.finish

    def interrupted_before_the_second(self: Recorder, *arguments: Any) -> None:
        if self.number == 1:
            raise Interruption(signal.SIGTERM)
        finish(self, *arguments)

    with monkeypatch.context() as patched, pytest.raises(Interruption):
        patched.setattr(Recorder, "finish", interrupted_before_the_second)
        run_jobs(jobs)
    first, second = (json.loads((c.folder / "record.json").read_text()) for _, c in jobs)
    assert (first["status"], second["status"]) == ("completed", "interrupted")
    assert read_checkpoint(tmp_path / "1" / CHECKPOINT).step == 3
    cfg = composed("init=noise", "optimizer.steps=3", "seed=1", "resume=true")
    assert run_job(cfg, jobs[1][1])["resumed_at"] == 3


@pytest.mark.parametrize("name", ["config.yaml", "image.png", "record.json"])
@pytest.mark.slow
def test_a_kill_between_claim_and_place_costs_nothing(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A file is claimed before it is put into place; the earlier one is still the run's own."""
    interrupted(composed, run_folder, 2, monkeypatch, "optimizer.steps=4")
    with (run_folder / ".nst-run").open("a") as mark:
        mark.write(f"{'0' * 64}  {name}\n")
    record = run_job(composed("optimizer.steps=4", "resume=true"), Context(run_folder))
    assert (record["status"], record["resumed_at"]) == ("completed", 2)


def test_a_mark_that_is_still_empty_is_no_obstacle(composed: Compose, run_folder: Path) -> None:
    run_folder.mkdir()
    (run_folder / ".nst-run").touch()
    run_job(composed("optimizer.steps=1"), Context(run_folder))
    assert run_job(composed("optimizer.steps=1"), Context(run_folder))["status"] == "completed"


def test_a_resumed_run_that_fails_says_so_and_keeps_its_checkpoint(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(composed, run_folder, 2, monkeypatch, "optimizer.steps=4")
    cfg = composed("optimizer.steps=4", "resume=true")
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="no more"):

        def fail(*_: Any) -> None:
            raise RuntimeError("no more")

        patched.setattr(Recorder, "finish", fail)
        run_job(cfg, Context(run_folder))
    record = json.loads((run_folder / "record.json").read_text())
    assert (record["status"], record["error"]) == ("failed", "no more")
    assert run_job(cfg, Context(run_folder))["status"] == "completed"


def test_what_cannot_be_written_does_not_hide_the_signal(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("nst.runs.loop.part", fail)
    interrupted(composed, run_folder, 2, monkeypatch, "optimizer.steps=4")
