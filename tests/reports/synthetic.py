"""Sweeps as ``run.py -m`` leaves them, without running a network: records and tiny pictures."""

from __future__ import annotations

import copy
import hashlib
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import nst
from nst.command.plan import expand_sweep
from nst.config import to_dict
from nst.reports.measuring.per_run import MEASURES
from nst.reports.measuring.trust import PROBLEMS
from nst.reports.sweep_plan import SweepPlan
from nst.reports.sweeps import Sweep
from nst.runs.recording.folder import RunFolder

SIZE = (24, 16)
STEPS = 30
_GROUPS = {"backbone": "backbone.name", "init": "init.kind", "optimizer": "optimizer.name"}
_MOST = 3  # values of each of a study's own axes


@lru_cache
def _base(study: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The config of a study's runs, and what its quick size sweeps."""
    overrides = (f"study={study}", "study.size=quick") if study else ()
    config = to_dict(nst.compose(*overrides))
    return config, config["study"]["sweep"].get("quick", {})


def synthetic_sweep(folder: Path, *overrides: str, study: str | None = None) -> Path:
    """Write the runs of some overrides into a folder, and their plan.

    Args:
        folder: of the sweep
        overrides: as on the command line, several values with commas
        study: whose quick size is swept too, at most three values of each key
    """
    config, params = _base(study)
    given = {override.partition("=")[0] for override in overrides}
    own = [f"{key}={_first(value)}" for key, value in params.items() if key not in given]
    shared = [f"study={study}"] if study else []
    jobs = expand_sweep([*own, *shared, *overrides])
    for number, job in enumerate(jobs):
        write_run(folder / str(number), job, config)
    SweepPlan(study, "quick", [*shared, *overrides], jobs, report=True).write(folder)
    return folder


def _first(value: object) -> str:
    """The first values of a key, where they are not one list."""
    text = str(value)
    return text if text.startswith("[") else ",".join(text.split(",")[:_MOST])


def write_run(folder: Path, job: Sequence[str], base: dict[str, Any], **record: Any) -> None:
    """A run with its pictures, its trace and its record, whose numbers follow from its job.

    Args:
        folder: of the run
        job: its overrides
        base: a config, to which the overrides are applied
        record: values of the record that are not as usual
    """
    config = _configured(base, job)
    rng = np.random.default_rng(zlib.crc32(",".join(job).encode()))
    run = RunFolder(folder)
    needed = {"content": ("image", "content"), "texture": ("image", "style")}
    for name in needed.get(config["task"], ("image", "content", "style")):
        _picture(name, config, rng).save(folder / f"{name}.png")
    losses = {"total": 3.0, "content": 1.0, "style": 2.0, "tv": 0.0}
    losses = {kind: value * float(rng.uniform(0.9, 1.1)) for kind, value in losses.items()}
    _write_trace(folder, losses)
    has_content = config["task"] != "texture"
    usual = {
        "status": "completed", "task": config["task"], "losses": losses,
        "losses_unweighted": losses, "terms": {}, "restarts": 0, "steps": STEPS,
        "psnr": float(rng.uniform(10, 30)) if has_content else None,
        "ssim": float(rng.uniform(0, 1)) if has_content else None,
        "seconds": 3.0, "seconds_per_step": 0.1, "peak_memory_mb": 100.0,
        "width": SIZE[0], "height": SIZE[1],
        "backbone": {"name": config["backbone"]["name"], "weights": "shipped"},
        "device": "cpu", "device_name": "abacus", "threads": 1, "seed": config["seed"],
        "finished": "2026-01-02T03:04:05+00:00", "commit": "0123456789abcdef",
        "config_hash": hashlib.sha256(str(job).encode()).hexdigest()[:16],
        "overrides": list(job), "config": config,
    }  # fmt: skip
    run.save_record(usual | record)


def _configured(base: dict[str, Any], job: Sequence[str]) -> dict[str, Any]:
    config = copy.deepcopy(base)
    config["logger"]["name"] = "none"
    for override in job:
        key, _, text = override.lstrip("+").partition("=")
        *parents, last = _GROUPS.get(key, key).split(".")
        node: Any = config
        for parent in parents:
            node = node.get(parent, {}) if isinstance(node, dict) else {}
        if isinstance(node, dict) and last in node and key not in ("study", "loss", "preset"):
            node[last] = yaml.safe_load(text)
    return config


def _picture(name: str, config: dict[str, Any], rng: np.random.Generator) -> Image.Image:
    """A slope of two colours that belong to what the picture is of, and noise in a result."""
    of = {"image": "result"}.get(name) or str(config[name])
    ends = np.random.default_rng(zlib.crc32(of.encode())).integers(0, 255, (2, 3))
    slope = np.linspace(0, 1, SIZE[0])[None, :, None] * np.ones((SIZE[1], 1, 1))
    values = ends[0] * (1 - slope) + ends[1] * slope
    if name == "image":
        values = values + rng.normal(0, 20, values.shape)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _write_trace(folder: Path, losses: dict[str, float]) -> None:
    lines = ["step,seconds," + ",".join(losses)]
    for step in range(STEPS):
        decay = 1 + 100 * np.exp(-step)
        lines.append(f"{step},{step / 10}," + ",".join(f"{v * decay:.6g}" for v in losses.values()))
    (folder / "trace.csv").write_text("\n".join(lines) + "\n")


class StandInJudge:
    """In the place of a network that measures."""

    sentence = "Nobody measured these pictures."


def stub_measuring(monkeypatch: pytest.MonkeyPatch, problem: str | None = None) -> None:
    """Let reports measure nothing: numbers follow from the run, and each has this problem.

    Args:
        monkeypatch: of the test
        problem: None: all runs can be trusted
    """

    def measured(sweep: Sweep, judge: object) -> Sweep:
        rng = np.random.default_rng(0)
        count = len(sweep.runs)
        numbers: dict[str, Any] = {name: rng.uniform(0, 1, count) for name in MEASURES}
        words: dict[str, Any] = {name: [problem] * count for name in (*PROBLEMS, "problem")}
        runs = sweep.runs.assign(**numbers, **words)
        return Sweep(**{**vars(sweep), "runs": runs})

    monkeypatch.setattr("nst.reports.write.measured", measured)
    monkeypatch.setattr("nst.reports.write.judge_of", lambda *_: StandInJudge())
