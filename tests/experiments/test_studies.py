"""The sweeps of conf/study: their jobs, their axes, what the command line may change."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from nst.command.cli import CONF, study_params

from experiments.report import STUDIES
from nst import config
from nst.command import cli

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


def composed(*overrides: str) -> Any:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", list(overrides), return_hydra_config=True)


def jobs(*overrides: str) -> list[list[str]]:
    single = [override for override in overrides if "," not in override]
    params = study_params(composed(*single), overrides)
    return cli.expand_sweep([*(f"{k}={v}" for k, v in params.items()), *overrides])


def test_studies_have_one_name_everywhere() -> None:
    assert set(STUDIES) == {file.stem for file in (CONF / "study").glob("*.yaml")} == set(COUNTS)
    for name in STUDIES:
        hydra = composed(f"study={name}").hydra
        assert hydra.sweep.dir.startswith(f"outputs/{name}/")
        assert hydra.mode.name == "MULTIRUN"
        text = importlib.import_module(f"experiments.{name}").__doc__ or ""
        for part in ("Question:", f"python run.py -m study={name}", "Cost:", "Finding:"):
            assert part in text, f"{name}: {part}"


@pytest.mark.parametrize("name", STUDIES)
def test_jobs_of_both_sizes(name: str) -> None:
    full, quick = jobs(f"study={name}"), jobs(f"study={name}", "study.size=quick")
    assert (len(full), len(quick)) == COUNTS[name]
    for job in (full[0], full[-1], quick[0], quick[-1]):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = config.from_omegaconf(compose("config", job))
        assert cfg.study.name == name
    assert cfg.size < 256
    assert cfg.optimizer.steps <= 100


def test_all_layers() -> None:
    found = jobs("study=layer_ablation", "study.layers=all")
    assert [job[0] for job in found] == [
        *("content_layer=input", *(f"content_layer=conv_{k}" for k in range(1, 17))),
    ]


def test_the_command_line_replaces_an_axis() -> None:
    found = jobs("study=content_seeds", "seed=5,6,7")
    assert [job[-1] for job in found] == ["seed=5", "seed=6", "seed=7"]
    assert len(jobs("study=gallery", "content=coffee")) == 2


def test_the_published_layer_sets() -> None:
    sets = [job[0].partition("=")[2] for job in jobs("study=texture_layers")]
    assert sets[:4] == ["conv_1-2", "conv_3-4", "conv_5-8", "conv_9-12"]
    assert sets[4:15] == [f"conv_{k}-{k + 4}" for k in range(1, 12)]
    assert sets[15] == "conv_1-16"


def test_the_study_does_not_change_what_a_run_is() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        in_study = compose("config", ["study=gallery", "content=coffee"])
        alone = compose("config", ["size=512", "optimizer.steps=300", "content=coffee"])
    hashes = {config.config_hash(config.from_omegaconf(c)) for c in (in_study, alone)}
    assert len(hashes) == 1
