"""W&B, offline and for real: what a run wrote is read back with W&B's own reader."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import wandb

from nst.runs.context import Context
from nst.runs.job import run_job
from nst.runs.recording.tracking import WandbSink, wandb_sink
from tests.conftest import Compose
from tests.wandb_server import ServedRun, WandbServer


def read_back(folder: Path) -> list[dict[str, Any]]:
    """The records of the one offline run below a folder, by ``wandb leet inspect``."""
    (run,) = folder.glob("wandb/offline-run-*/*.wandb")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(run)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines() if line.strip()]


def sync(*folders: Path) -> None:
    """Upload the offline runs of folders, as a user does."""
    runs = [str(run) for folder in folders for run in folder.glob("wandb/offline-run-*")]
    command = [sys.executable, "-m", "wandb", "sync", *runs]
    process = subprocess.run(command, cwd=folders[0], capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr


def test_a_run_is_logged_into_its_own_folder(composed: Compose, run_folder: Path) -> None:
    cfg = composed("logger=wandb", "logger.tags=[mine]", "optimizer.steps=3", "snapshot_every=3")
    record = run_job(cfg, Context(run_folder, name="seed=0", group="sweep-1"))
    text = json.dumps(read_back(run_folder))
    for part in ("seed=0", "sweep-1", "transfer", "mine", "loss/total", "sheet", "snapshot"):
        assert part in text, part
    assert record["config_hash"] in text
    assert "style/relu_11" in text
    media = list(run_folder.glob("wandb/offline-run-*/files/media/images/*.png"))
    assert len(media) == 3  # two snapshots and the sheet


@pytest.mark.slow
def test_two_runs_in_one_process_do_not_mix(composed: Compose, tmp_path: Path) -> None:
    cfg = composed("logger=wandb", "optimizer.steps=1")
    for name in ("one", "two"):
        run_job(cfg, Context(tmp_path / name, name=name))
        assert f'"{name}"' in json.dumps(read_back(tmp_path / name))


def test_a_failed_run_leaves_none_open(tmp_path: Path) -> None:
    import wandb

    options: dict[str, Any] = {"mode": "offline", "project": "p", "job_type": "t", "config": {}}

    def fail() -> None:
        with wandb_sink(tmp_path, name="fails", **options):
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert wandb.run is None
    (run,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(run)]
    summary = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (summary["state"], summary["exit_code"]) == ("failed", 1)


class Broken:
    """A W&B run that fails at everything."""

    def __getattr__(self, name: str) -> Any:
        def fail(*args: Any, **kwargs: Any) -> None:
            raise OSError("disk full")

        return fail


def test_a_failure_of_wandb_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        sink = WandbSink(Broken())
        sink.log(0, {"total": 1.0})
        sink.log_image(0, "sheet", Path("absent.png"), "caption")
        sink.summarize({"psnr": 1.0})
    assert caplog.text.count("W&B failed") == 1
    assert "disk full" in caplog.text


def test_online_without_an_account_goes_on_offline(
    composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(run_folder.parent))  # no login of this machine's user
    monkeypatch.setenv("NETRC", str(run_folder.parent / "none"))
    cfg = composed("logger=wandb", "logger.mode=online", "optimizer.steps=1")
    with caplog.at_level(logging.WARNING):
        record = run_job(cfg, Context(run_folder))
    assert record["status"] == "completed"
    assert "W&B is offline: there is no key" in caplog.text
    assert read_back(run_folder)


@pytest.mark.parametrize("off", ["logger=none", "logger.mode=disabled"])
def test_none_and_disabled_write_nothing(composed: Compose, run_folder: Path, off: str) -> None:
    run_job(composed("optimizer.steps=1", "logger=wandb", off), Context(run_folder))
    assert not (run_folder / "wandb").exists()


def test_wandbs_variables_reach_its_server(
    composed: Compose, run_folder: Path, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"MODE": "online", "PROJECT": "paintings", "ENTITY": "team", "RUN_GROUP": "monday"}
    said |= {"TAGS": "red,dark blue", "NOTES": "of the left half", "NAME": "first"}
    for name, value in said.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.setenv("WANDB_DIR", str(run_folder.parent / "elsewhere"))
    wandb.teardown()  # its session began before
    record = run_job(composed("logger=wandb", "optimizer.steps=1"), Context(run_folder, "seed=0"))
    attributes = server.run().attributes
    assert attributes["project"] == "paintings"
    assert attributes["entity"] == "team"
    assert attributes["groupName"] == record["group"] == "monday"
    assert attributes["notes"] == "of the left half"
    assert attributes["displayName"] == "first seed=0"
    assert {"red", "dark blue"} <= set(attributes["tags"])
    logger = record["config"]["logger"]
    assert (logger["mode"], logger["project"], logger["entity"]) == ("online", "paintings", "team")
    assert list(run_folder.parent.glob("elsewhere/wandb/run-*"))
    assert not (run_folder / "wandb").exists()


def test_runs_of_a_group_do_not_share_an_id(
    composed: Compose, tmp_path: Path, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_RUN_ID", "given")
    online = composed("logger=wandb", "logger.mode=online", "optimizer.steps=1")
    run_job(online, Context(tmp_path / "alone"))
    assert set(server.runs) == {"given"}
    for name in ("one", "two"):
        run_job(online, Context(tmp_path / name, name, "together"))
    assert len(server.runs) == 3


STUDY = (
    *("study=layer_ablation", "content_layer=conv_4", "optimizer.steps=2", "snapshot_every=2"),
    *("logger=wandb", "logger.tags=[mine]"),
)


def check_arrived(run: ServedRun, record: dict[str, Any]) -> None:
    """What W&B must hold of a run of ``STUDY``: as much as its folder."""
    assert run.exit_code == 0
    assert run.attributes["groupName"] == "sweep-1"
    assert run.attributes["jobType"] == "content"
    assert run.attributes["displayName"] == "content_layer=conv_4"
    tags = {"content:conv_4", "init:noise", "optimizer:lbfgs", "seed:0", "mine"}
    assert tags | {"study:layer_ablation"} <= set(run.attributes["tags"])
    assert run.config["layers"]["content"] == "conv_4"
    assert run.config["layers"]["content_depth"] == 4
    assert run.config["config_hash"] == record["config_hash"]
    assert [row["_step"] for row in run.history] == [0, 1, 2]
    losses = [row["loss/total"] for row in run.history]
    assert losses == [row["layer_ablation/loss"] for row in run.history]
    assert losses[-1] < losses[0]
    check_unweighted(run, record)
    assert run.last("layer_ablation/psnr") == pytest.approx(record["psnr"])
    assert run.summary["psnr"] == pytest.approx(record["psnr"])
    assert run.summary["losses"]["total"] == pytest.approx(record["losses"]["total"])


def check_unweighted(run: ServedRun, record: dict[str, Any]) -> None:
    """The losses before their weights: of every step, the smallest, and the results.

    The run has no style, and no weight for total variation.
    """
    own = record["losses_unweighted"]
    steps = [row["loss/content_unweighted"] for row in run.history]
    content_weight = run.config["loss"]["content_weight"]
    weighted = [row["loss/content"] for row in run.history]
    assert [content_weight * loss for loss in steps] == pytest.approx(weighted)
    smallest = run.summary["loss/content_unweighted"]["min"]
    assert smallest == pytest.approx(min(steps))
    assert run.summary["losses_unweighted"]["content"] == pytest.approx(own["content"])
    results = {key for row in run.history for key in row if "losses_unweighted_" in key}
    assert results == {f"layer_ablation/losses_unweighted_{kind}" for kind in ("content", "tv")}
    assert run.last("layer_ablation/losses_unweighted_tv") == pytest.approx(own["tv"])
    assert own["style"] is None
    assert not any("loss/tv_unweighted" in row for row in run.history)


def check_pictures(run: ServedRun, folder: Path) -> None:
    """The sheet and both snapshots, byte for byte."""
    media = {file for name, file in run.files.items() if name.startswith("media/images/")}
    local = [folder / "sheet.png", *(folder / "snapshots").iterdir()]
    assert len(local) == 3
    assert media == {file.read_bytes() for file in local}
    assert run.last("layer_ablation/sheet")["path"] in run.files


@pytest.mark.slow
def test_sync_uploads_an_offline_run(
    composed: Compose, run_folder: Path, server: WandbServer
) -> None:
    context = Context(run_folder, "content_layer=conv_4", "sweep-1")
    record = run_job(composed(*STUDY), context)
    assert server.runs == {}
    sync(run_folder)
    check_arrived(server.run(), record)
    check_pictures(server.run(), run_folder)


def test_online_uploads_at_once(composed: Compose, run_folder: Path, server: WandbServer) -> None:
    context = Context(run_folder, "content_layer=conv_4", "sweep-1")
    record = run_job(composed(*STUDY, "logger.mode=online", "logger.entity=team"), context)
    assert server.run().attributes["entity"] == "team"
    check_arrived(server.run(), record)
    check_pictures(server.run(), run_folder)


@pytest.mark.slow
def test_a_run_of_no_study_has_plain_keys(composed: Compose, run_folder: Path) -> None:
    run_job(composed("logger=wandb", "optimizer.steps=1"), Context(run_folder))
    text = json.dumps(read_back(run_folder))
    assert '"sheet.path"' in text
    assert "study:" not in text
