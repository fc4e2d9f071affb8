"""The saved workspace, as a server on the loopback interface receives it."""

from __future__ import annotations

import builtins
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments import dashboard
from nst.command.configs import CONF
from nst.reports.findings.studies import find_study, study_names
from nst.runs.context import Context
from nst.runs.job import run_job
from tests.conftest import Compose
from tests.runs.recording.test_tracking import STUDY
from tests.wandb_server import WandbServer


def sections(view: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """{name: panels} of a saved workspace."""
    bank = view["spec"]["section"]["panelBankConfig"]
    return {section["name"]: section["panels"] for section in bank["sections"]}


def keys(panel: dict[str, Any]) -> set[str]:
    """The keys of the runs that a panel reads."""
    config = panel["config"]
    named = {*config.get("metrics", []), *config.get("mediaKeys", [])}
    axes = (config.get(axis, "") for axis in ("xAxis", "yAxis"))
    return named | {axis.removeprefix("summary:") for axis in axes if "summary:" in axis}


def test_a_section_per_study(server: WandbServer, capsys: pytest.CaptureFixture[str]) -> None:
    dashboard.main(["--entity", "team", "--project", "styles"])
    (view,) = server.views
    assert (view["entityName"], view["projectName"]) == ("team", "styles")
    assert view["displayName"] == "nst studies"
    assert list(sections(view)) == ["all runs", *study_names()]
    assert capsys.readouterr().out.startswith(f"{server.url}/team/styles?nw=")


def test_runs_are_grouped_in_the_list_and_not_in_the_panels(server: WandbServer) -> None:
    dashboard.main(["--entity", "team"])
    section = server.views[0]["spec"]["section"]
    (runs,) = section["runSets"]
    assert [key["name"] for key in runs["grouping"]] == ["group", "jobType"]
    assert runs["filters"]["filters"] == []
    parts = [section["settings"]]
    parts += [part["localPanelSettings"] for part in section["panelBankConfig"]["sections"]]
    assert not any(part["useRunsTableGroupingInPanels"] for part in parts)


def test_chosen_studies_only(server: WandbServer) -> None:
    dashboard.main(["--study", "weights", "gallery", "--name", "two"])
    (view,) = server.views
    assert view["entityName"] == "me"  # the key's owner
    assert list(sections(view)) == ["weights", "gallery"]
    (chosen,) = view["spec"]["section"]["runSets"][0]["filters"]["filters"]
    assert (chosen["key"]["name"], chosen["value"]) == ("study.name", ["weights", "gallery"])


def test_panels_read_what_runs_log(
    composed: Compose, run_folder: Path, server: WandbServer
) -> None:
    """A run of the study has every key of its section that is not the report's."""
    run_job(composed(*STUDY, "logger.mode=online"), Context(run_folder))
    dashboard.main(["--study", "layer_ablation"])
    panels = sections(server.views[0])["layer_ablation"]
    read = set().union(*map(keys, panels))
    pictures = ("contact_sheet", "loss_curves", "fidelity_by_depth")
    of_report = {f"layer_ablation/{name}" for name in pictures}
    logged = {key for row in server.run().history for key in row}
    assert of_report < read
    assert read - of_report <= logged
    assert {"layer_ablation/loss", "layer_ablation/psnr", "layer_ablation/sheet"} <= read
    groups = {panel["config"].get("groupBy") for panel in panels} - {None}
    assert groups == {"layers.value.content"}
    assert server.run().config["layers"]["content"] == "conv_4"


def section_keys(section: Any) -> set[str]:
    """The keys that a section's panels read, before it is saved."""
    panels = section._to_model().model_dump(by_alias=True)["panels"]
    return set().union(*map(keys, panels))


def test_losses_before_their_weights_are_there_to_compare(
    composed: Compose, run_folder: Path, server: WandbServer
) -> None:
    """In a study's section by the study's own keys, and for all runs in W&B's summary."""
    study = find_study("weights")
    assert study is not None
    results = tuple(f"losses_unweighted_{kind}" for kind in ("content", "style"))
    study = replace(study, comparison=replace(study.comparison, results=results))
    run_job(
        composed(*STUDY, "study=weights", "task=transfer", "logger.mode=online"),
        Context(run_folder),
    )
    logged = {key for row in server.run().history for key in row}
    compared = {f"weights/{result}" for result in results}
    assert compared <= section_keys(dashboard.study_section(study)) & logged
    of_any = {key for key in section_keys(dashboard.any_section()) if "unweighted" in key}
    assert of_any == {"losses_unweighted.content", "losses_unweighted.style"}
    summary = server.run().summary["losses_unweighted"]
    assert {f"losses_unweighted.{kind}" for kind, v in summary.items() if v} >= of_any


def test_sections_of_a_study_share_no_key() -> None:
    for name in study_names():
        study = find_study(name)
        assert study is not None
        read = section_keys(dashboard.study_section(study))
        assert len(read) > 4
        assert all(key.startswith(f"{name}/") for key in read)


def ends(arguments: list[str]) -> str:
    """What main says when it gives up, on one line."""
    with pytest.raises(SystemExit) as stopped:
        dashboard.main(arguments)
    message = str(stopped.value)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


def test_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert "no answer from W&B at http://127.0.0.1:9" in ends([])


def test_not_logged_in(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    assert "wandb login" in ends(["--entity", "team"])


def test_the_server_refuses(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WandbServer, "_on_UpsertView2", None)
    assert "UpsertView2" in ends(["--entity", "team"])
    server.unknown.clear()


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("wandb_workspaces"):
            raise ModuleNotFoundError("No module named 'wandb_workspaces'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install -e '.[dashboard]'" in ends([])


@pytest.mark.slow
def test_help_needs_no_extra() -> None:
    command = [sys.executable, "-m", "experiments.dashboard", "--help"]
    process = subprocess.run(command, cwd=CONF.parent, capture_output=True, text=True)
    assert process.returncode == 0
    assert "--study" in process.stdout


def test_the_package_is_imported_quietly() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dashboard._import()
    assert caught == []
