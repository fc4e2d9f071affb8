"""The studies: their names, their jobs, what the command line may change, what they conclude."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import hydra
import pytest
import torch
from omegaconf import open_dict
from torch import Tensor

import nst
from nst.command.configs import CONF, register
from nst.command.plan import expand_sweep, study_params
from nst.config import Config, config_hash, from_omegaconf, layer_sets
from nst.config.layers import stride
from nst.config.values import picture_settings
from nst.reports.findings.studies import find_study, study_names
from nst.reports.measuring.trust import LEAST_POSITIONS, LEAST_STEPS
from nst.runs.transfer import Transfer

COUNTS = {
    "layer_ablation": (12, 12),
    "content_seeds": (3, 3),
    "texture_layers": (48, 24),
    "texture_seeds": (3, 3),
    "layer_grid": (176, 16),
    "init_timing": (6, 6),
    "gallery": (4, 4),
    "weights": (9, 9),
}
"""Jobs of each study, full and quick."""


@cache
def composed(*overrides: str) -> Any:
    """With Hydra's own part; kept, as composing takes long."""
    register()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", list(overrides), return_hydra_config=True)


@cache
def config(*overrides: str) -> Config:
    """As on the command line; not to be changed."""
    return nst.compose(*overrides)


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
    whole, small = composed(f"study={name}"), config(*quick[-1])
    assert whole.size == (512 if name == "gallery" else 256)
    assert small.size == 192
    assert small.optimizer.steps <= whole.optimizer.steps


@pytest.mark.parametrize("name", study_names())
def test_quick_runs_are_large_and_long_enough_for_the_claims(name: str) -> None:
    """The last run, whose layers are the deepest, of a photograph of 4:3."""
    cfg = config(*jobs(f"study={name}", "study.size=quick")[-1])
    backbone = cfg.backbone.name.name
    deepest = max(stride(layer, backbone) for layers in layer_sets(cfg) for layer in layers)
    assert cfg.size * 3 / 4 / deepest >= LEAST_POSITIONS
    assert cfg.optimizer.steps >= LEAST_STEPS


@pytest.mark.parametrize("size", ["full", "quick"])
def test_where_seeds_vary_there_are_three(size: str) -> None:
    for name in study_names():
        overrides = {o for job in jobs(f"study={name}", f"study.size={size}") for o in job}
        seeds = {override for override in overrides if override.startswith("seed=")}
        assert seeds in (set(), {"seed=0", "seed=1", "seed=2"}), name


def test_all_layers() -> None:
    all_layers = jobs("study=layer_ablation", "study.layers=all")
    assert list(dict.fromkeys(job[0] for job in all_layers)) == [
        *("content_layer=input", *(f"content_layer=conv_{k}" for k in range(1, 17))),
    ]


SETTINGS = {  # published, free
    "loss.tv_weight": (0.0, 1.0),
    "init.amplitude": (0.2, 0.05),
    "coarse_scales": (1, "auto"),
}
WITH_SETTING = {
    "layer_ablation": ("loss.tv_weight", "init.amplitude"),
    "content_seeds": ("loss.tv_weight", "init.amplitude"),
    "layer_grid": ("loss.tv_weight", "init.amplitude"),
    "texture_layers": ("loss.tv_weight", "init.amplitude", "coarse_scales"),
    "texture_seeds": ("loss.tv_weight", "init.amplitude", "coarse_scales"),
}


@pytest.mark.parametrize("name", study_names())
def test_free_differs_from_published_in_what_it_says_and_in_nothing_else(name: str) -> None:
    whole = composed(f"study={name}").copy()
    with open_dict(whole):
        del whole["hydra"]
    published = _flat(picture_settings(from_omegaconf(whole)))
    free = _flat(picture_settings(config(f"study={name}", "study.setting=free")))
    differences = {k: (published[k], free[k]) for k in published if published[k] != free[k]}
    assert differences == {key: SETTINGS[key] for key in WITH_SETTING.get(name, ())}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"optimizer.steps": 300} of {"optimizer": {"steps": 300}}."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return flat


def two_steps(*overrides: str) -> Tensor:
    """The picture after two steps at 32 px."""
    small = (
        "size=32",
        "optimizer.steps=2",
        "device=cpu",
        "logger=none",
        "gradient_checkpointing=false",
    )
    *_, last = Transfer(config(*overrides, *small)).run()
    return last.images


def test_a_free_reconstruction_is_that_of_a_run_outside_of_a_study() -> None:
    outside = two_steps("task=content", "content_layer=conv_4", "backbone=vgg19_mini")
    assert torch.equal(two_steps("study=content_seeds", "study.setting=free"), outside)
    assert not torch.equal(two_steps("study=content_seeds"), outside)


def test_the_command_line_replaces_an_axis() -> None:
    seeds = jobs("study=content_seeds", "seed=5,6")
    assert [job[-1] for job in seeds] == ["seed=5", "seed=6"]
    assert len(jobs("study=gallery", "content=coffee")) == 2


@pytest.mark.parametrize("name", study_names())
def test_any_axis_stands_beside_the_studys_own(name: str) -> None:
    sweep = jobs(f"study={name}", "study.size=quick", "optimizer.lr=1,0.5")
    assert len(sweep) == 2 * COUNTS[name][1]
    assert {job[-1] for job in sweep} == {"optimizer.lr=1", "optimizer.lr=0.5"}


def test_the_published_layer_sets() -> None:
    runs = jobs("study=texture_layers")
    sets = list(dict.fromkeys(job[0].partition("=")[2] for job in runs))
    assert sets[:4] == ["conv_1-2", "conv_3-4", "conv_5-8", "conv_9-12"]
    assert sets[4:15] == [f"conv_{k}-{k + 4}" for k in range(1, 12)]
    assert sets[15] == "conv_1-16"


def test_the_study_does_not_change_what_a_run_is() -> None:
    in_study = config("study=gallery", "content=coffee")
    alone = config("size=512", "content=coffee")
    assert config_hash(in_study) == config_hash(alone)


def test_the_command_lines_loss_counts_for_more_than_the_studys() -> None:
    job = jobs("study=texture_layers", "loss=wasserstein2")[0]
    assert config(*job).loss.style["name"] == "wasserstein2"
    assert config("study=texture_layers").loss.style["name"] == "gram"


def test_a_presets_loss_counts_for_more_than_the_studys_and_its_start_does_not() -> None:
    """The layers of a published recipe are studied with its own loss, but always from noise."""
    job = jobs("study=layer_ablation", "preset=gatys_notebook")[0]
    cfg = config(*job)
    assert cfg.loss == config("preset=gatys_notebook").loss
    assert (cfg.init.kind, cfg.init.amplitude) == ("noise", 0.2)
    assert (cfg.task, cfg.content_layer) == ("content", "conv_1")


@pytest.mark.parametrize("name", study_names())
def test_every_claim_says_what_is_measured_from_where_on_and_what_speaks_against_it(
    name: str,
) -> None:
    study = find_study(name)
    assert study is not None
    names = [claim.name for claim in study.claims]
    assert len(set(names)) == len(names) >= 2
    for claim in study.claims:
        for text in (claim.sentence, claim.measure, claim.threshold, claim.objection):
            assert text[0].isupper() or text.startswith("PSNR"), text
            assert text.endswith("."), text
        assert any(digit in claim.threshold for digit in "0123456789")
    assert study.task == config(f"study={name}").task.name


def test_numbers_that_a_claim_states_are_those_it_decides_by() -> None:
    """Thresholds stand in the text by name, so that neither changes alone."""
    stated = {
        "layer_ablation": ("FAITHFUL", "LOSSY", "EDGES"),
        "content_seeds": ("SAME", "NOISE"),
        "texture_layers": ("NOISE", "NEAR"),
        "texture_seeds": ("UNRELATED", "EQUAL", "LIKE"),
        "layer_grid": ("LAYOUT", "RELATED", "ALONE", "FARTHER"),
        "init_timing": ("TOLERANCE", "MORE"),
        "gallery": ("FOUND", "ABSENT", "NEARER"),
        "weights": ("FALL", "SEEN", "ALIKE"),
    }
    assert set(stated) == set(study_names())
    for name, numbers in stated.items():
        module = importlib.import_module(f"experiments.studies.{name}")
        texts = " ".join(claim.threshold for claim in module.STUDY.claims)
        for number in numbers:
            assert f"{getattr(module, number):g}" in texts, number
