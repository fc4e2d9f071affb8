"""How much memory is free."""

from __future__ import annotations

import os
from pathlib import Path

import torch


def available(device: torch.device, root: Path = Path("/")) -> int | None:
    """Bytes that are free on a device, or for this process; None where the system does not tell.

    Args:
        device: the CPU, a CUDA device or Apple's GPU
        root: where the system's ``proc`` and ``sys`` are
    """
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + reserved
    if device.type == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return int(free)
    limits = [_meminfo(root), *_groups(root)]
    room = [bytes_ for bytes_ in limits if bytes_ is not None]
    return max(0, min(room)) if room else None


def _meminfo(root: Path) -> int | None:
    """What the machine has left."""
    file = root / "proc" / "meminfo"
    if file.is_file():
        for line in file.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows, macOS
        return None


def _groups(root: Path) -> list[int | None]:
    """What the limits of the process's control groups leave, from its own up to the root."""
    lines = _text(root / "proc" / "self" / "cgroup").splitlines()
    room: list[int | None] = []
    for controller, folder, limit, used in (
        ("", "sys/fs/cgroup", "memory.max", "memory.current"),
        (
            *("memory", "sys/fs/cgroup/memory"),
            *("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ),
    ):
        paths = [line.split(":", 2)[2] for line in lines if line.split(":", 2)[1] == controller]
        for path in paths or ["/"]:  # in a container the files are at the top
            inner = Path(path.strip("/"))
            room += [_left(root / folder / each, limit, used) for each in (inner, *inner.parents)]
    return room


def _left(folder: Path, limit: str, used: str) -> int | None:
    """A control group's limit less its use; files in the cache give way and do not count."""
    numbers = [_text(folder / name).strip() for name in (limit, used)]
    if not all(number.isdigit() for number in numbers):  # no such file, or "max"
        return None
    cached = 0
    for line in _text(folder / "memory.stat").splitlines():
        if line.startswith(("inactive_file ", "total_inactive_file ")):
            cached = int(line.split()[1])
    return int(numbers[0]) - int(numbers[1]) + cached


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
