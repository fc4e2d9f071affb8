"""How many threads a run takes, and how they wait."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nst.errors import InputError
from nst.runs.batches import batch_key
from nst.runs.context import Context
from nst.runs.job import run_job, run_jobs
from nst.runs.machine import threads
from nst.runs.machine.threads import Threads, choose, quota, sleep_while_waiting
from tests.conftest import Compose

ROOT = Path(__file__).resolve().parent.parent.parent


def limited(folder: Path, **files: str) -> None:
    """Write the files of a control group: ``cpu_max="max 100000"`` into ``cpu.max``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine without control groups."""
    (tmp_path / "proc/self").mkdir(parents=True)
    return tmp_path


def in_group(root: Path, lines: str) -> Path:
    """Put the process into control groups; the folder of their mounts."""
    (root / "proc/self/cgroup").write_text(lines)
    return root / "sys/fs/cgroup"


class TestQuota:
    def test_a_machine_without_control_groups_sets_none(self, tmp_path: Path) -> None:
        assert quota(tmp_path) == float("inf")

    def test_version_2(self, root: Path) -> None:
        limited(in_group(root, "0::/job\n") / "job", cpu_max="150000 100000")
        assert quota(root) == 1.5

    def test_version_2_beside_version_1(self, root: Path) -> None:
        """As systemd mounts both: the second is in a folder of its own."""
        limited(in_group(root, "3:memory:/\n0::/job\n") / "unified/job", cpu_max="200000 100000")
        assert quota(root) == 2

    @pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
    def test_version_1(self, root: Path, folder: str) -> None:
        mounts = in_group(root, "5:cpu,cpuacct:/job\n4:cpuset:/other\n")
        limited(mounts / folder / "job", cpu_cfs_quota_us="300000", cpu_cfs_period_us="100000")
        assert quota(root) == 3

    def test_the_least_of_nested_groups(self, root: Path) -> None:
        mounts = in_group(root, "0::/user/session/job\n")
        limited(mounts / "user", cpu_max="100000 50000")
        limited(mounts / "user/session", cpu_max="max 100000")
        limited(mounts / "user/session/job", cpu_max="800000 100000")
        assert quota(root) == 2

    def test_in_a_container_the_path_may_be_the_host_s(self, root: Path) -> None:
        mounts = in_group(root, "2:cpu:/docker/4ac9\n")
        limited(mounts / "cpu", cpu_cfs_quota_us="50000", cpu_cfs_period_us="100000")
        assert quota(root) == 0.5

    def test_a_path_does_not_leave_the_mount(self, root: Path) -> None:
        limited(in_group(root, "0::/../../job\n") / "job", cpu_max="100000 100000")
        limited(root / "job", cpu_max="1000 100000")
        assert quota(root) == 1

    @pytest.mark.parametrize("text", ["max 100000", "", "-1 100000", "many", "100000 0"])
    def test_no_limit_and_no_number(self, root: Path, text: str) -> None:
        limited(in_group(root, "0::/\n"), cpu_max=text)
        assert quota(root) == float("inf")

    def test_version_1_without_a_limit(self, root: Path) -> None:
        mounts = in_group(root, "2:cpu:/\n")
        limited(mounts / "cpu", cpu_cfs_quota_us="-1", cpu_cfs_period_us="100000")
        assert quota(root) == float("inf")


class TestChoose:
    @pytest.fixture(autouse=True)
    def eight_cores(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threads, "cores", lambda: 8)

    def test_a_number_is_taken(self, root: Path) -> None:
        assert choose(12, 4, {"OMP_NUM_THREADS": "3"}, root) == Threads(12, "threads=12")

    @pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
    def test_the_environment_s_wish_comes_before_all_limits(self, root: Path, name: str) -> None:
        limited(in_group(root, "0::/\n"), cpu_max="100000 100000")
        environ = {name: "16", "SLURM_CPUS_PER_TASK": "2"}
        assert choose("auto", 16, environ, root) == Threads(16, name)

    def test_all_cores(self, root: Path) -> None:
        assert choose("auto", 8, {}, root) == Threads(8, "cores that this process may use")

    def test_one_of_two_hardware_threads_of_a_core_as_torch_takes_them(self, root: Path) -> None:
        assert choose("auto", 4, {}, root) == Threads(4, "torch's default")

    def test_no_more_than_the_process_may_run_on(self, root: Path) -> None:
        assert choose("auto", 64, {}, root) == Threads(8, "cores that this process may use")

    def test_no_more_than_slurm_gives_a_task(self, root: Path) -> None:
        environ = {"SLURM_CPUS_PER_TASK": "3"}
        assert choose("auto", 8, environ, root) == Threads(3, "SLURM_CPUS_PER_TASK")

    @pytest.mark.parametrize("text", ["", "all"])
    def test_what_is_no_number_is_no_limit(self, root: Path, text: str) -> None:
        assert choose("auto", 8, {"SLURM_CPUS_PER_TASK": text}, root).number == 8

    @pytest.mark.parametrize(("granted", "number"), [(20_000, 1), (100_000, 1), (250_000, 3)])
    def test_a_quota_is_rounded_up(self, root: Path, granted: int, number: int) -> None:
        limited(in_group(root, "0::/\n"), cpu_max=f"{granted} 100000")
        chosen = choose("auto", 8, {}, root)
        why = f"the control group's quota of {granted / 1e5:g} cores"
        assert chosen == Threads(number, why)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no processes")
def test_a_process_bound_to_one_core_has_one() -> None:
    code = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from nst.runs.machine.threads import cores
print(cores())
"""
    assert printed(code) == ["1"]


def printed(code: str, **environ: str) -> list[str]:
    """The lines that a program prints which was started with nothing said about threads."""
    said = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "KMP_"))}
    command = [sys.executable, "-c", code]
    process = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=said | environ, check=True
    )
    return process.stdout.splitlines()


class TestWaiting:
    def test_threads_sleep(self) -> None:
        environ = {"HOME": "/home"}
        sleep_while_waiting(environ)
        assert environ == {"HOME": "/home", **threads.SLEEPING}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("OMP_WAIT_POLICY", "active"),
            ("GOMP_SPINCOUNT", "300000"),
            ("KMP_BLOCKTIME", "200"),
            ("KMP_LIBRARY", "turnaround"),
        ],
    )
    def test_what_the_user_says_stays(self, name: str, value: str) -> None:
        environ = {name: value}
        sleep_while_waiting(environ)
        assert environ == {name: value}

    @pytest.mark.parametrize(
        "start",
        [
            "sys.argv = ['run.py', 'size=32']; runpy.run_path('run.py', run_name='__main__')",
            "sys.argv = ['nst', 'size=32']; runpy.run_module('nst', run_name='__main__')",
            "sys.argv = ['run.py', '-m', 'hydra/launcher=batched', 'seed=0,1', 'size=32'];"
            "runpy.run_path('run.py', run_name='__main__')",
            "runpy.run_module('experiments.benchmark', run_name='__main__')",
            "runpy.run_module('experiments.backbone.train', run_name='__main__')",
            "runpy.run_module('experiments.report', run_name='__main__')",
        ],
        ids=["run.py", "nst", "batched", "benchmark", "train", "report"],
    )
    def test_it_is_said_before_torch_is_loaded(self, start: str, tmp_path: Path) -> None:
        """The runtime reads it once."""
        code = f"""
import os, runpy, sys
from importlib.abc import MetaPathFinder

class Spy(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Spy())
os.chdir({str(tmp_path)!r})
sys.path.insert(0, {str(ROOT)!r})
{start.replace("'run.py', run_name", repr(str(ROOT / "run.py")) + ", run_name")}
"""
        assert printed(code)[-1] == threads.SLEEPING["OMP_WAIT_POLICY"]

    @pytest.mark.skipif(threads.cores() < 2, reason="a second thread needs a core")
    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks about libgomp")
    def test_a_thread_without_work_uses_no_processor(self) -> None:
        """Between two operations a spinning one would use as much time as passes."""
        code = """
import time
from nst.runs.machine.threads import sleep_while_waiting
sleep_while_waiting()
import torch
torch.set_num_threads(2)
picture = torch.rand(1 << 16)
others = 0.0
for _ in range(100):
    picture.exp()
    before = time.process_time() - time.thread_time()
    time.sleep(2e-3)
    others += time.process_time() - time.thread_time() - before
print(others)
"""
        assert float(printed(code)[-1]) < 0.2 * 100 * 2e-3


class TestJobs:
    def test_a_run_has_the_threads_of_the_key_and_the_process_has_its_own_after_it(
        self, composed: Compose, run_folder: Path
    ) -> None:
        before = torch.get_num_threads()
        cfg = composed("optimizer.steps=1", f"threads={before + 1}")
        run_job(cfg, Context(run_folder))
        record = json.loads((run_folder / "record.json").read_text())
        assert record["threads"] == before + 1
        assert record["threads_why"] == f"threads={before + 1}"
        assert torch.get_num_threads() == before

    def test_a_run_that_fails_leaves_the_process_its_threads(
        self, composed: Compose, run_folder: Path
    ) -> None:
        before = torch.get_num_threads()
        cfg = composed(f"threads={before + 1}")
        cfg.content = "nowhere.png"
        with pytest.raises(InputError, match=r"nowhere\.png"):
            run_job(cfg, Context(run_folder))
        assert torch.get_num_threads() == before

    @pytest.mark.parametrize("wrong", [0, True, "many", 1.5])
    def test_what_is_no_number_of_threads(
        self, composed: Compose, run_folder: Path, wrong: object
    ) -> None:
        cfg = composed()
        cfg.threads = wrong
        with pytest.raises(InputError, match=f"threads={wrong}: expected auto or 1 or more"):
            run_job(cfg, Context(run_folder))

    def test_runs_with_other_threads_share_no_batch(
        self, composed: Compose, tmp_path: Path
    ) -> None:
        """Each could not have its own."""
        one, two = composed("threads=1"), composed("threads=2")
        assert batch_key(one) != batch_key(two)
        assert batch_key(one) == batch_key(composed("threads=1", "seed=1"))

    def test_the_threads_are_those_of_the_batch(self, composed: Compose, tmp_path: Path) -> None:
        jobs = [
            (
                composed("optimizer.steps=1", "threads=3", f"seed={seed}", "init=noise"),
                Context(tmp_path / str(seed)),
            )
            for seed in (0, 1)
        ]
        assert [record["threads"] for record in run_jobs(jobs)] == [3, 3]  # type: ignore[index]
