from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nst.config import ReportConfig
from nst.errors import InputError
from nst.reports.settings import report_settings, with_settings
from nst.reports.sweeps import Sweep, load_sweep
from nst.runs.recording.folder import RunFolder


def sweep_of(folder: Path, *reports: Any) -> Sweep:
    for number, report in enumerate(reports):
        record = {"overrides": [f"seed={number}"], "config": {"report": report}}
        RunFolder(folder / str(number)).save_record(record)
    return load_sweep([folder])


def test_records_of_before_these_keys_count_as_the_defaults(tmp_path: Path) -> None:
    assert report_settings(sweep_of(tmp_path, True, False)) == ReportConfig()


def test_the_last_run_decides_and_what_is_given_counts_for_more(tmp_path: Path) -> None:
    recorded = {"enabled": True, "judge": "vgg19", "judge_weights": "imagenet"}
    sweep = sweep_of(tmp_path, True, {**recorded, "figure_width": 7.0})
    assert report_settings(sweep) == ReportConfig(True, 7.0, "vgg19", "imagenet")
    assert report_settings(sweep, figure_width=3.0).figure_width == 3.0
    assert report_settings(sweep, judge_weights="random").judge_weights == "random"


def test_another_judge_comes_with_its_own_weights(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, {"judge": "vgg19", "judge_weights": "imagenet"})
    settings = report_settings(sweep, judge="vgg16_mini")
    assert (settings.judge, settings.judge_weights) == ("vgg16_mini", None)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"figure_width": 99.0}, "1 to 20 inches"), ({"judge": "vgg20"}, "report.judge=vgg20")],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        report_settings(sweep_of(tmp_path, True), **given)


def test_every_run_has_the_settings_of_the_report(tmp_path: Path) -> None:
    sweep = with_settings(sweep_of(tmp_path, True, {"judge": "vgg19"}), ReportConfig(judge="vgg16"))
    assert sweep.runs["config.report.judge"].tolist() == ["vgg16", "vgg16"]
