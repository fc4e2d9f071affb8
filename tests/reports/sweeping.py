"""Real, tiny sweeps, run in this process, as ``run.py -m`` would leave them."""

from __future__ import annotations

from pathlib import Path

import nst
from nst.command.plan import expand_sweep
from nst.reports.sweep_plan import SweepPlan
from nst.runs.context import Context
from nst.runs.job import run_job

QUICK = ("size=24", "optimizer.steps=2", "logger=none", "device=cpu")


def run_sweep(folder: Path, *overrides: str) -> Path:
    """Run the jobs of some overrides into a folder, and write their plan.

    Args:
        folder: of the sweep
        overrides: as on the command line, several values with commas
    """
    jobs = expand_sweep([*overrides, *QUICK])
    for number, job in enumerate(jobs):
        run_job(nst.compose(*job), Context(folder / str(number), overrides=job))
    study = next((o.partition("=")[2] for o in overrides if o.startswith("study=")), None)
    SweepPlan(study, "quick", list(overrides), jobs, report=True).write(folder)
    return folder
