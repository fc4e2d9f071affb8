"""The studies: their names, their jobs, what the command line may change, what they conclude."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import hydra
import pytest

import nst
from nst.command.configs import CONF, register
from nst.command.plan import expand_sweep, study_params
from nst.config import config_hash
from nst.reports.findings.studies import find_study, study_names
from nst.reports.sweeps import load_sweep
from nst.reports.write import report
from tests.reports.sweeping import run_sweep

COUNTS = {
    "layer_ablation": (4, 4),
    "content_seeds": (2, 2),
    "texture_layers": (16, 8),
    "texture_seeds": (2, 2),
    "layer_grid": (176, 16),
    "init_timing": (6, 4),
    "gallery": (4, 4),
    "weights": (12, 6),
}
"""Jobs of each study, full and quick."""


def composed(*overrides: str) -> Any:
    """With Hydra's own part."""
    register()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", list(overrides), return_hydra_config=True)


def jobs(*overrides: str) -> list[list[str]]:
    single = [override for override in overrides if "," not in override]
    params = study_params(composed(*single), overrides)
    return expand_sweep([*(f"{k}={v}" for k, v in params.items()), *overrides])


def test_every_study_has_one_name_everywhere() -> None:
    assert set(study_names()) == {file.stem for file in (CONF / "study").glob("*.yaml")}
    for name in study_names():
        cfg = composed(f"study={name}")
        assert cfg.study.name == name
        assert cfg.hydra.sweep.dir.startswith(f"outputs/{name}/")
        assert cfg.hydra.mode.name == "MULTIRUN"


@pytest.mark.parametrize("name", study_names())
def test_a_study_says_question_command_cost_and_finding(name: str) -> None:
    text = importlib.import_module(f"experiments.studies.{name}").__doc__ or ""
    for part in ("Question:", f"python run.py -m study={name}", "Cost:", "Finding:"):
        assert part in text, part


@pytest.mark.parametrize("name", study_names())
def test_jobs_of_both_sizes(name: str) -> None:
    full, quick = jobs(f"study={name}"), jobs(f"study={name}", "study.size=quick")
    assert (len(full), len(quick)) == COUNTS[name]
    for job in (full[0], full[-1]):
        assert nst.compose(*job).optimizer.steps == 300
    for job in (quick[0], quick[-1]):
        cfg = nst.compose(*job)
        assert cfg.size < 256
        assert cfg.optimizer.steps <= 100


def test_all_layers() -> None:
    all_layers = jobs("study=layer_ablation", "study.layers=all")
    assert [job[0] for job in all_layers] == [
        *("content_layer=input", *(f"content_layer=conv_{k}" for k in range(1, 17))),
    ]


def test_the_command_line_replaces_an_axis() -> None:
    seeds = jobs("study=content_seeds", "seed=5,6,7")
    assert [job[-1] for job in seeds] == ["seed=5", "seed=6", "seed=7"]
    assert len(jobs("study=gallery", "content=coffee")) == 2


def test_the_published_layer_sets() -> None:
    sets = [job[0].partition("=")[2] for job in jobs("study=texture_layers")]
    assert sets[:4] == ["conv_1-2", "conv_3-4", "conv_5-8", "conv_9-12"]
    assert sets[4:15] == [f"conv_{k}-{k + 4}" for k in range(1, 12)]
    assert sets[15] == "conv_1-16"


def test_the_study_does_not_change_what_a_run_is() -> None:
    in_study = nst.compose("study=gallery", "content=coffee")
    alone = nst.compose("size=512", "optimizer.steps=300", "content=coffee")
    assert config_hash(in_study) == config_hash(alone)


def test_the_command_lines_loss_counts_for_more_than_the_studys() -> None:
    job = jobs("study=texture_layers", "loss=wasserstein2")[0]
    assert nst.compose(*job).loss.style["name"] == "wasserstein2"
    assert nst.compose("study=texture_layers").loss.style["name"] == "gram"


def test_a_presets_loss_counts_for_more_than_the_studys_and_its_start_does_not() -> None:
    """The layers of a published recipe are studied with its own loss, but always from noise."""
    job = jobs("study=layer_ablation", "preset=gatys_notebook")[0]
    cfg = nst.compose(*job)
    assert cfg.loss == nst.compose("preset=gatys_notebook").loss
    assert (cfg.init.kind, cfg.init.scale) == ("noise", 0.2)
    assert (cfg.task, cfg.content_layer) == ("content", "conv_1")


SWEEPS = {
    "layer_ablation": ["content_layer=input,conv_1,conv_4,conv_8"],
    "content_seeds": ["seed=0,1"],
    "texture_layers": ["style_layers=conv_1-2,conv_1-5,conv_11-15,conv_9-12"],
    "texture_seeds": ["seed=0,1"],
    "layer_grid": ["content_layer=conv_1,conv_4,conv_8", "style_layers=conv_1-5,conv_6-10"],
    "init_timing": ["init=noise,content", "seed=0,1"],
    "gallery": ["content=astronaut,coffee", "style=ink,mosaic"],
    "weights": ["loss.style_weight=300,30", "loss.content_weight=1,0.1"],
}
"""Small forms of each, large enough to conclude something."""


@pytest.mark.slow
@pytest.mark.parametrize("name", study_names())
def test_every_study_judges_its_runs_in_numbers(name: str, tmp_path: Path) -> None:
    folder = run_sweep(tmp_path, f"study={name}", *SWEEPS[name])
    study = find_study(name)
    assert study is not None
    finding = study.judge(load_sweep([folder]))
    assert finding.status in ("reproduced", "partly", "not reproduced")
    assert re.search(r"\d", finding.text)
    text = report([folder]).read_text(encoding="utf-8")
    assert f">{finding.status}</span>" in text
    assert study.question.replace("'", "&#39;") in text
    pictures = {file.stem for file in (folder / "report").glob("*.png")}
    assert set(study.comparison.figures) <= pictures


@pytest.mark.parametrize("name", study_names())
def test_a_study_of_one_run_says_that_it_is_too_little(name: str, tmp_path: Path) -> None:
    folder = run_sweep(tmp_path, f"study={name}", "seed=0")
    study = find_study(name)
    assert study is not None
    assert study.judge(load_sweep([folder])).status == "open"
    assert report([folder]).is_file()
