"""What the processor can do."""

from __future__ import annotations

import functools
from pathlib import Path


@functools.cache
def flags() -> frozenset[str]:
    """Instruction sets in Linux's words; empty where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return frozenset()
    lines = cpuinfo.read_text(errors="replace").splitlines()
    return frozenset(flag for line in lines if line.startswith("flags") for flag in line.split())
