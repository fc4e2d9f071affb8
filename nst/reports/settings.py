"""How a report is to be written: as its runs' configs say, unless whoever asks for it says else."""

from __future__ import annotations

import dataclasses
from typing import Any

from nst.config import ReportConfig
from nst.config.checks import check_report
from nst.reports.sweeps import Sweep


def report_settings(
    sweep: Sweep,
    figure_width: float | None = None,
    judge: str | None = None,
    judge_weights: str | None = None,
) -> ReportConfig:
    """The ``report`` keys of the last run, and what is given instead.

    Args:
        sweep: records without these keys, as older ones, count as the defaults
        figure_width, judge, judge_weights: None leaves what the runs say; another judge comes with
            its own weights

    Raises:
        InputError: a value that cannot work.
    """
    recorded = ReportConfig()
    for item in dataclasses.fields(ReportConfig):
        value = _last(sweep, f"config.report.{item.name}")
        if value is not None:
            setattr(recorded, item.name, value)
    weights = judge_weights if judge or judge_weights else recorded.judge_weights
    settings = ReportConfig(
        recorded.enabled, figure_width or recorded.figure_width, judge or recorded.judge, weights
    )
    check_report(settings)
    return settings


def with_settings(sweep: Sweep, settings: ReportConfig) -> Sweep:
    """The sweep with these settings in every run's ``config.report.…``, for all that read them."""
    columns = {
        f"config.report.{item.name}": getattr(settings, item.name)
        for item in dataclasses.fields(ReportConfig)
    }
    return dataclasses.replace(sweep, runs=sweep.runs.assign(**columns))


def _last(sweep: Sweep, column: str) -> Any:
    values = sweep.runs[column].dropna().tolist() if column in sweep.runs else []
    return values[-1] if values else None
