"""The report's own W&B run, offline and at a server on the loopback interface."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nst.reports.findings.studies import find_study
from nst.reports.sweep_plan import SweepPlan
from nst.reports.tracking import log_report, wandb_table
from nst.reports.write import report as report_of
from nst.runs.context import Context
from nst.runs.job import run_job
from tests.conftest import Compose
from tests.runs.recording.test_tracking import read_back, sync
from tests.wandb_server import ServedRun, WandbServer

TABLE = pd.DataFrame(
    {
        "config.content_layer": ["conv_1", "conv_4"],
        "psnr": [59.9, np.nan],
        "steps": [200, 200],
        "config.style_layers": [["conv_1"], ["conv_1", "conv_2"]],
    }
)
ROWS = [["conv_1", 59.9, 200, "['conv_1']"], ["conv_4", None, 200, "['conv_1', 'conv_2']"]]


@pytest.fixture
def report(tmp_path: Path) -> dict[str, Any]:
    """A small report, as the arguments of log_report."""
    folder = tmp_path / "layer_ablation"
    folder.mkdir()
    Image.linear_gradient("L").convert("RGB").save(folder / "grid.png")
    Image.radial_gradient("L").convert("RGB").save(folder / "curves.jpg")
    (folder / "report.html").write_text("<!doctype html><title>ablation</title><p>Prüfstück")
    return {
        "folder": folder,
        "mode": "offline",
        "project": "nst",
        "name": "report of layer_ablation",
        "tables": {"runs": TABLE},
        "captions": {"grid": "The pictures."},
        "images": {"grid": folder / "grid.png", "curves": folder / "curves.jpg"},
        "html": folder / "report.html",
        "summary": {"agrees": True, "psnr": {"conv_1": 59.9}},
        "group": "layer_ablation",
        "study": "layer_ablation",
    }


def check_arrived(run: ServedRun, server: WandbServer, folder: Path) -> None:
    """Everything that was reported."""
    assert run.exit_code == 0
    assert run.attributes["jobType"] == "report"
    assert run.attributes["groupName"] == "layer_ablation"
    assert run.attributes["displayName"] == "report of layer_ablation"
    assert set(run.attributes["tags"]) == {"report", "study:layer_ablation"}
    assert run.config["study"]["name"] == "layer_ablation"
    assert run.summary["agrees"] is True
    for key, file in (("grid", "grid.png"), ("curves", "curves.jpg"), ("page", "report.html")):
        sent = run.files[run.last(f"layer_ablation/{key}")["path"]]
        assert sent == (folder / file).read_bytes(), key
    (table,) = (b for name, b in server.artifact_files.items() if name.endswith(".table.json"))
    assert json.loads(table)["columns"] == list(TABLE.columns)
    assert json.loads(table)["data"] == ROWS


@pytest.mark.slow
def test_sync_uploads_a_report(report: dict[str, Any], server: WandbServer) -> None:
    log_report(**report)
    assert server.runs == {}
    sync(report["folder"])
    check_arrived(server.run(), server, report["folder"])


def test_online(report: dict[str, Any], server: WandbServer) -> None:
    log_report(**report | {"mode": "online"})
    check_arrived(server.run(), server, report["folder"])


def test_offline_everything_stays_in_the_folder(
    report: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    log_report(**report)
    assert not list(home.rglob("artifacts"))
    assert list(report["folder"].glob("wandb/data/artifacts/staging/*"))  # the table, for later
    assert "layer_ablation/runs" in json.dumps(read_back(report["folder"]))


def test_without_a_study_keys_start_with_report(report: dict[str, Any]) -> None:
    log_report(**report | {"study": None, "html": None, "summary": None})
    text = json.dumps(read_back(report["folder"]))
    assert "report/grid" in text
    assert "report/runs" in text


def test_what_fails_is_left_out_with_a_warning(
    report: dict[str, Any], server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    images = report["images"] | {"figure": Path("absent.png")}
    with caplog.at_level(logging.WARNING):
        log_report(**report | {"mode": "online", "images": images, "html": Path("absent.html")})
    for name in ("absent.png", "absent.html"):
        assert f"W&B did not take {name}" in caplog.text
    keys = {key for row in server.run().history for key in row if not key.startswith("_")}
    assert keys == {f"layer_ablation/{key}" for key in ("grid", "curves", "runs")}


def test_a_broken_wandb_costs_a_warning(
    report: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import wandb

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(wandb, "init", refuse)
    with caplog.at_level(logging.WARNING):
        log_report(**report)
    assert "disk full" in caplog.text


def test_a_disabled_report_writes_nothing(report: dict[str, Any], server: WandbServer) -> None:
    log_report(**report | {"mode": "disabled"})
    assert not (report["folder"] / "wandb").exists()
    assert server.runs == {}


def test_names_fit(report: dict[str, Any], server: WandbServer) -> None:
    """A report by hand of runs whose group is older than the limit of W&B."""
    log_report(**report | {"mode": "online", "name": "n" * 200, "group": "g" * 200})
    attributes = server.run().attributes
    assert len(attributes["displayName"]) == len(attributes["groupName"]) == 128


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_asked_once_for_a_sweep_and_its_report(
    composed: Compose, tmp_path: Path, server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.status = 503
    for seed in (0, 1):
        overrides = [f"seed={seed}", "init=noise"]
        online = ("logger=wandb", "logger.mode=online", "optimizer.steps=1", "size=32")
        cfg = composed(*overrides, *online)
        run_job(cfg, Context(tmp_path / "s" / str(seed), str(seed), "today", overrides))
        if seed == 0:
            asked = server.asked
    report_of([tmp_path / "s"])
    assert server.asked == asked
    ours = [each for each in caplog.records if "W&B" in each.getMessage()]
    (warning,) = [each.getMessage() for each in ours if each.name.startswith("nst")]
    assert "answers 503" in warning
    assert len(list((tmp_path / "s").rglob("offline-run-*"))) == 3


def test_columns_are_numbers_or_text() -> None:
    mixed = pd.DataFrame({"a": [1, "x"], "b": [np.inf, 2.0], "c": [True, None], "d": [{}, 1]})
    assert wandb_table(mixed).data == [["1", None, True, "{}"], ["x", 2.0, None, "1"]]


@pytest.fixture
def sweep(composed: Compose, tmp_path: Path) -> Path:
    """Two runs of a study, as ``run.py -m study=layer_ablation`` leaves them."""
    folder = tmp_path / "sweep"
    jobs = [["study=layer_ablation", f"content_layer={layer}"] for layer in ("conv_1", "conv_4")]
    for job in jobs:
        cfg = composed(*job, "optimizer.steps=2", "size=32", "logger=wandb")
        run_job(cfg, Context(folder / job[1], job[1], "outputs/layer_ablation/today", job))
    SweepPlan("layer_ablation", "quick", jobs[0][:1], jobs, report=True).write(folder)
    return folder


@pytest.mark.slow
def test_the_report_of_a_sweep_joins_its_runs(sweep: Path, server: WandbServer) -> None:
    for _ in range(2):  # the second takes the place of the first
        page = report_of([sweep])
    sync(sweep, sweep / "report", *sweep.glob("content_layer=*"))
    assert {run.attributes["groupName"] for run in server.runs.values()} == {"layer_ablation/today"}
    kinds = [run.attributes["jobType"] for run in server.runs.values()]
    assert sorted(kinds) == ["content", "content", "report"]
    run = next(run for run in server.runs.values() if run.attributes["jobType"] == "report")
    assert run.attributes["displayName"] == "report: layer_ablation sweep"
    study = find_study("layer_ablation")
    assert study is not None
    assert run.summary["verdict"] == "cannot say"  # two layers after two steps
    assert {key for key in run.summary if key.startswith("claims/")} == {
        f"claims/{claim.name}" for claim in study.claims
    }
    for key in ("contact_sheet", "loss_curves", *study.comparison.figures):
        sent = run.files[run.last(f"layer_ablation/{key}")["path"]]
        assert sent == (page.parent / "report" / f"{key}.png").read_bytes()
    assert run.files[run.last("layer_ablation/page")["path"]] == page.read_bytes()
    tables = {
        name: json.loads(data)
        for name, data in server.artifact_files.items()
        if name.endswith(".table.json")
    }
    by_columns = {tuple(table["columns"][:2]): table["data"] for table in tables.values()}
    assert len(by_columns["claim", "panel"]) == len(study.claims)
    assert [row[:2] for row in by_columns["content_layer", "n"]] == [["conv_1", 1], ["conv_4", 1]]
    assert len(by_columns) == 3


def test_a_second_report_removes_the_log_of_the_first_and_nothing_else(
    report: dict[str, Any],
) -> None:
    """``wandb sync`` would upload both; but a log of the user's own is not ours to remove."""
    folder = report["folder"]
    mine = folder / "wandb" / "offline-run-20200101_000000-mine" / "run-mine.wandb"
    mine.parent.mkdir(parents=True)
    mine.write_text("a run of somebody's")
    logs = []
    for _ in range(2):
        log_report(**report)
        (log,) = {*folder.glob("wandb/offline-run-*/*.wandb")} - {mine}
        log.with_name(f"{log.name}.synced").touch()  # as wandb sync marks it
        logs.append(log)
    assert logs[0] != logs[1]
    assert not logs[0].parent.exists()
    assert mine.read_text() == "a run of somebody's"


def test_a_run_without_wandb_has_no_report_at_wandb(composed: Compose, tmp_path: Path) -> None:
    run_job(composed("optimizer.steps=1", "size=32"), Context(tmp_path / "one"))
    report_of([tmp_path])
    assert not list(tmp_path.rglob("wandb"))
