"""Facts about the machine and the code, for a run's record."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nst


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the numbers."""
    numbers = {"python": platform.python_version()}
    for package in ("nst", "torch", "torchvision", "numpy", "pillow", "scikit-image", "hydra-core"):
        try:
            numbers[package] = version(package)
        except PackageNotFoundError:
            numbers[package] = "not installed"
    return numbers


_ROOT = Path(nst.__file__).resolve().parents[1]
_OWN_FILES = ("nst/runs/recording/provenance.py", "conf/config.yaml", "run.py")


def git_commit(root: Path = _ROOT) -> tuple[str | None, bool]:
    """The commit of this project's checkout, and whether it has changes.

    Args:
        root: the folder that holds the package

    Returns:
        (None, False) where the package is installed, or otherwise none of a checkout: a repository
        around it is somebody else's, and so is one that ``GIT_DIR`` names.
    """
    if not (root / ".git").exists():
        return None, False
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        process = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment
        )
        return process.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", *_OWN_FILES)
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
