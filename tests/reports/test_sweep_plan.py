from __future__ import annotations

import json
from pathlib import Path

import pytest

from nst.errors import InputError
from nst.reports.sweep_plan import SweepPlan

PLAN = SweepPlan("weights", "quick", ["seed=0,1"], [["seed=0"], ["seed=1"]], report=True)


def test_a_plan_is_read_back(tmp_path: Path) -> None:
    PLAN.write(tmp_path / "sweep")
    assert SweepPlan.read(tmp_path / "sweep") == PLAN
    assert [file.name for file in (tmp_path / "sweep").iterdir()] == ["sweep.json"]


def test_a_plan_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    SweepPlan(overrides=["seed=7"]).write(tmp_path)
    PLAN.write(tmp_path)
    assert SweepPlan.read(tmp_path) == PLAN


@pytest.mark.parametrize(
    "text", ["", "not JSON", "[1]", json.dumps({"method": "grid", "parameters": {}})]
)
def test_a_file_of_that_name_that_no_sweep_wrote_stays(text: str, tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"
    file.write_text(text)
    assert SweepPlan.read(tmp_path) is None
    with pytest.raises(InputError, match="was not written by a sweep") as refused:
        PLAN.write(tmp_path)
    assert "\n" not in str(refused.value)
    assert file.read_text() == text


def test_a_sweep_is_refused_at_once_where_its_report_would_be(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<title>mine</title>")
    with pytest.raises(InputError, match=r"report\.html was not written by a report"):
        PLAN.write(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    SweepPlan(report=False).write(tmp_path)  # no report, nothing to replace
    assert (tmp_path / "report.html").read_text() == "<title>mine</title>"
