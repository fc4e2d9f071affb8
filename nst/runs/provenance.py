"""Facts about the machine and the code, for a run's record."""

from __future__ import annotations

import contextlib
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the numbers."""
    found = {"python": platform.python_version()}
    for package in ("nst", "torch", "torchvision", "numpy", "pillow", "scikit-image", "hydra-core"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_commit() -> tuple[str | None, bool]:
    """The commit of this project's checkout and whether it has changes; (None, False) without."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None, False

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "-uno"))
    except (OSError, subprocess.CalledProcessError):
        return None, False


def device_name(device: str) -> str:
    """The processor's name, as its maker calls it."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


class PeakMemory:
    """Peak memory of a stretch of work in MB: of the GPU, or of this process on a CPU."""

    def __init__(self, device: str):
        self._device = device
        if device.startswith("cuda"):
            import torch

            torch.cuda.reset_peak_memory_stats(device)
        else:
            _reset_process_peak()

    def megabytes(self) -> float | None:
        """Highest use since the start; None where the system does not tell."""
        if self._device.startswith("cuda"):
            import torch

            return torch.cuda.max_memory_allocated(self._device) / 2**20
        return _process_peak()


def _reset_process_peak() -> None:
    with contextlib.suppress(OSError):  # Linux: VmHWM, the peak, back to the current size
        Path("/proc/self/clear_refs").write_text("5")


def _process_peak() -> float | None:
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if platform.system() == "Darwin" else peak / 1024
