"""One run's folder: written here, and read back into a DataFrame.

======================  ===================================================================
``image.png``           the result
``content.png``         the content image at the size that the run saw, where it has one
``style.png``           the same of the style image
``sheet.png``           content, style and result side by side
``trace.csv``           a row per step: seconds and every weighted loss term
``snapshots/``          the image every ``snapshot_every`` steps
``config.yaml``         the config, resolved
``record.json``         what was measured; renamed into place last, so a folder that has it
                        is complete
======================  ===================================================================

Seconds, here and in the trace, are the wall time of the optimisation divided by ``batch``, the
number of runs that shared it; so the seconds of several runs add up. ``batch_seconds`` is the
whole. Memory is that of all runs of the batch.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

import pandas as pd
import yaml
from PIL import Image

RECORD = "record.json"
TRACE_HEAD = ("step", "seconds", "total", "content", "style", "tv", "patch")


class RunFolder:
    """Writes one run. What an earlier run left in the same folder is removed first."""

    def __init__(self, path: Path):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        pictures = ("image.png", "content.png", "style.png", "sheet.png")
        for name in (RECORD, *pictures, "trace.csv", "config.yaml"):
            (path / name).unlink(missing_ok=True)
        shutil.rmtree(path / "snapshots", ignore_errors=True)

    def save_config(self, values: Mapping[str, Any]) -> None:
        """Write ``config.yaml``."""
        text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
        self._replace("config.yaml", text.encode())

    def save_image(self, name: str, image: Image.Image) -> Path:
        """Write a PNG; a reader never sees half of it."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.part")
        image.save(partial, format="PNG")
        os.replace(partial, target)
        return target

    def save_record(self, record: Mapping[str, Any]) -> None:
        """Write ``record.json``: the run is complete."""
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
        self._replace(RECORD, (text + "\n").encode())

    def _replace(self, name: str, content: bytes) -> None:
        partial = self.path / f".{name}.part"
        partial.write_bytes(content)
        os.replace(partial, self.path / name)


class Trace:
    """``trace.csv``, a row per step, on disk within a second or so of being written."""

    def __init__(self, path: Path, names: Sequence[str]):
        """
        Args:
            path: of the file
            names: of the terms, ``content/LAYER``, ``style/LAYER``, ``tv``, ``patch``
        """
        self._terms = [name for name in names if name not in TRACE_HEAD]
        self._file: IO[str] = path.open("w", newline="", encoding="utf-8", buffering=1 << 14)
        self._writer = csv.writer(self._file)
        self._writer.writerow([*TRACE_HEAD, *self._terms])
        self._flushed = 0.0

    def write(self, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """One row; ``values`` holds the sums by kind and every term by name."""
        numbers = [values[name] for name in (*TRACE_HEAD[2:], *self._terms)]
        self._writer.writerow([step, f"{seconds:.6f}", *(f"{v:.9g}" for v in numbers)])
        if seconds - self._flushed > 1:
            self._file.flush()
            self._flushed = seconds

    def close(self) -> None:
        """Flush and close."""
        self._file.close()


def load_runs(root: str | Path) -> pd.DataFrame:
    """Every complete run below a folder, a row each; nested keys are joined by dots.

    Returns:
        Columns as in ``record.json`` (``losses.total``, ``config.seed`` …) and ``folder``; sorted
        by folder; empty where there is none.
    """
    rows = []
    for file in sorted(Path(root).rglob(RECORD)):
        row = json.loads(file.read_text(encoding="utf-8"))
        rows.append({"folder": str(file.parent), **row})
    return pd.json_normalize(rows) if rows else pd.DataFrame()


def load_trace(folder: Path) -> pd.DataFrame:
    """``trace.csv`` of one run."""
    return pd.read_csv(folder / "trace.csv")


# --- facts about the machine and the code --------------------------------------------------------


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
    root = Path(__file__).resolve().parent.parent
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
