"""A run among other programs says so, and nothing else is taken for that."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from nst.runs.context import Context
from nst.runs.job import run_job
from nst.runs.machine import busy
from nst.runs.machine.busy import BusyWatch, Times, thread_times
from tests.conftest import Compose

CPU = torch.device("cpu")


class Machine:
    """A clock, and the threads of a process, whose times a test decides."""

    def __init__(self, *names: str):
        self.now = 0.0
        self.threads: Times = dict.fromkeys(names, (100.0, 7.0))  # of before the run

    def watch(self, device: torch.device = CPU) -> BusyWatch:
        return BusyWatch(device, lambda: self.now, lambda: dict(self.threads))

    def step(self, watch: BusyWatch, seconds: float, *, ran: float, waited: float) -> None:
        """A step, in which every thread ran and waited for a core for these shares of it."""
        self.now += seconds
        for name, (before_ran, before_waited) in self.threads.items():
            times = (before_ran + ran * seconds, before_waited + waited * seconds)
            self.threads[name] = times
        watch.look()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == busy.__name__]


def test_a_run_that_waits_for_cores_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine("main", "second")
    watch = machine.watch()
    for _ in range(1000):
        machine.step(watch, 0.5, ran=0.4, waited=0.5)
    (line,) = said(caplog)
    assert "other programs use the processor" in line
    assert "got 44 % of the time that they asked for" in line


def test_it_waits_some_seconds_before_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine("main")
    watch = machine.watch()
    for _ in range(9):
        machine.step(watch, 1.0, ran=0.1, waited=0.9)
    assert said(caplog) == []
    machine.step(watch, 1.0, ran=0.1, waited=0.9)
    assert len(said(caplog)) == 1


def test_programs_that_come_later_are_seen(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine("main", "second")
    watch = machine.watch()
    for _ in range(1000):
        machine.step(watch, 1.0, ran=0.9, waited=0.0)
    assert said(caplog) == []
    for _ in range(20):
        machine.step(watch, 1.0, ran=0.3, waited=0.6)
    assert len(said(caplog)) == 1


@pytest.mark.parametrize(
    ("ran", "waited"),
    [(1.0, 0.0), (0.9, 0.05), (0.6, 0.4), (0.02, 0.0), (0.0, 0.0)],
    ids=["alone", "a little beside it", "a second program", "threads wait, or swap", "sleep"],
)
def test_there_is_no_false_alarm(
    caplog: pytest.LogCaptureFixture, ran: float, waited: float
) -> None:
    machine = Machine("main", "second")
    watch = machine.watch()
    for _ in range(100):
        machine.step(watch, 1.0, ran=ran, waited=waited)
    assert said(caplog) == []


def test_a_machine_that_slept_is_not_busy(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine("main")
    watch = machine.watch()
    for _ in range(20):
        machine.step(watch, 1.0, ran=0.9, waited=0.01)
    machine.now += 8 * 3600
    for _ in range(20):
        machine.step(watch, 1.0, ran=0.9, waited=0.01)
    assert said(caplog) == []


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_run_on_a_gpu_is_not_watched(caplog: pytest.LogCaptureFixture, device: str) -> None:
    machine = Machine("main")
    watch = machine.watch(torch.device(device))
    for _ in range(100):
        machine.step(watch, 1.0, ran=0.1, waited=0.9)
    assert said(caplog) == []


def test_a_system_that_does_not_count_is_not_watched(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    watch = machine.watch()
    for _ in range(100):
        machine.step(watch, 1.0, ran=0.1, waited=0.9)
    assert said(caplog) == []


def test_threads_that_begin_and_end_do_not_count(caplog: pytest.LogCaptureFixture) -> None:
    """Of them one of the two times is not known."""
    machine = Machine("main", "ends")
    watch = machine.watch()
    for _ in range(5):
        machine.step(watch, 1.0, ran=0.9, waited=0.0)
    del machine.threads["ends"]
    machine.threads["begins"] = (0.0, 3600.0)
    for _ in range(5):
        machine.step(watch, 1.0, ran=0.9, waited=0.0)
    assert said(caplog) == []


@pytest.mark.parametrize(
    ("threads", "policy", "advised"),
    [(1, "", False), (2, "PASSIVE", False), (2, "active", True), (2, "", True)],
)
def test_other_threads_are_advised_where_they_spin(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
    policy: str,
    *,
    advised: bool,
) -> None:
    """Where they sleep, or where there is one, only fewer programs help."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    machine = Machine("main")
    machine.step(machine.watch(), 60.0, ran=0.1, waited=0.9)
    assert "run fewer programs at once" in said(caplog)[0]
    assert ("threads=1" in said(caplog)[0]) is advised


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux counts")
def test_the_system_s_count_grows_with_what_a_thread_computes() -> None:
    own = str(threading.get_native_id())
    before, begin = thread_times()[own], time.thread_time()
    while time.thread_time() - begin < 0.05:
        pass
    ran, waited = thread_times()[own]
    assert 0.04 < ran - before[0] < 1
    assert waited >= before[1]


def test_what_is_not_counted_is_left_out(tmp_path: Path) -> None:
    for name, text in {"1": "2000000000 500000000 9\n", "2": "", "3": "none"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "schedstat").write_text(text)
    assert thread_times(tmp_path) == {"1": (2.0, 0.5)}
    assert thread_times(tmp_path / "nowhere") == {}


def test_a_run_has_it_in_its_log(
    composed: Compose,
    run_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """On a machine where every second of a thread is two of waiting."""
    monkeypatch.setattr(
        busy, "thread_times", lambda: {"main": (time.monotonic(), 2 * time.monotonic())}
    )
    monkeypatch.setattr(busy, "WINDOW", 0.0)
    run_job(composed("optimizer.steps=5"), Context(run_folder))
    assert len(said(caplog)) == 1
