"""How many threads a run has, and how they wait for each other.

torch computes with a pool of OpenMP threads, which meet after every operation. One that comes first
spins by default: it keeps its core busy for some milliseconds before it sleeps. Beside another
program this takes the core from just those threads that are waited for, and two runs at once take
many times as long as one (docs/performance.md has the figures).

Nothing here imports torch before it is needed: the runtime reads how to wait when torch is loaded.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SLEEPING = {"OMP_WAIT_POLICY": "passive"}
"""What makes a waiting thread sleep: of libgomp (Linux) and libomp (macOS)."""

_HOW_TO_WAIT = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
_HOW_MANY = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Threads:
    """How many threads a run has, and what decided it."""

    number: int
    why: str


def sleep_while_waiting(environ: MutableMapping[str, str] = os.environ) -> None:
    """Let threads that wait sleep, in this process and those it starts; before torch is imported.

    Where the user has said how threads wait, that stays.
    """
    if not any(name in environ for name in _HOW_TO_WAIT):
        environ.update(SLEEPING)


def may_spin(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether threads that wait may use the processor, as torch is started here."""
    return environ.get("OMP_WAIT_POLICY", "").lower() != "passive"


@contextmanager
def taken(wish: int | str) -> Iterator[Threads]:
    """Give torch the threads that the key ``threads`` asks for, within the block.

    Args:
        wish: a number of 1 or more, or ``auto``; see :func:`choose`

    The number belongs to the process, so what it was before is set again at the end.
    """
    import torch

    before = torch.get_num_threads()
    chosen = choose(wish, before)
    try:
        if chosen.number != before:
            torch.set_num_threads(chosen.number)
        yield chosen
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def choose(
    wish: int | str,
    default: int,
    environ: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
) -> Threads:
    """How many threads to take.

    Args:
        wish: a number, which is taken; or ``auto``: the default, if the environment names a number
            (``OMP_NUM_THREADS``), else at most the cores that the process may use
        default: what torch would take; of two hardware threads of a core it takes one
        environ: the environment
        root: where ``proc`` and ``sys`` are
    """
    if isinstance(wish, int) and wish >= 1:  # anything else but auto is refused later on
        return Threads(wish, f"threads={wish}")
    for name in _HOW_MANY:
        if environ.get(name):
            return Threads(default, name)
    limits = {"cores that this process may use": cores(), "torch's default": default}
    with contextlib.suppress(KeyError, ValueError):
        limits["SLURM_CPUS_PER_TASK"] = max(1, int(environ["SLURM_CPUS_PER_TASK"]))
    share = quota(root)
    if share < math.inf:
        limits[f"the control group's quota of {share:g} cores"] = max(1, math.ceil(share))
    why = min(limits, key=lambda name: limits[name])
    return Threads(limits[why], why)


def cores() -> int:
    """Processors, hardware threads among them, that the process may run on (1 or more)."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quota(root: Path = Path("/")) -> float:
    """Cores' worth of time that Linux's control groups grant the process; infinite if they do not.

    A group within others has the least of their quotas. Both versions are read: ``cpu.max``, and
    ``cpu.cfs_quota_us`` over ``cpu.cfs_period_us``.
    """
    return min((_quota_of(folder) for folder in _control_groups(root)), default=math.inf)


def _control_groups(root: Path) -> Iterator[Path]:
    """The folders of the process's control groups for processors, and of those around them.

    In a container the path may be the host's; then only the mount's own folder is there.
    """
    mounts = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        group = Path(*(part for part in path.split("/") if part not in ("", "..")))
        if number == "0":
            names = ["", "unified"]
        else:
            names = [controllers, "cpu"] if "cpu" in controllers.split(",") else []
        for name in names:
            yield from (mounts / name / folder for folder in (group, *group.parents))


def _quota_of(folder: Path) -> float:
    """Cores' worth of time that one control group grants; infinite where it sets no limit."""
    try:
        if (folder / "cpu.max").is_file():
            granted, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        else:
            files = (folder / f"cpu.cfs_{name}_us" for name in ("quota", "period"))
            granted, period = (file.read_text(encoding="utf-8") for file in files)
        share = float(granted) / float(period)  # of "max": not a number
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
    return share if share > 0 else math.inf  # -1: no limit
