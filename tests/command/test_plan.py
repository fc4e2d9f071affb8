from __future__ import annotations

from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from nst.command.checks.jobs import remark_on_seeds, remarks_on
from nst.command.configs import CONF, register
from nst.command.plan import as_written, expand_sweep, study_params
from tests.conftest import Compose


def config_of(*overrides: str) -> Any:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", list(overrides))


def test_jobs_are_every_combination() -> None:
    assert expand_sweep(["seed=0,1", "style=ink,waves", "size=64"]) == [
        *(["seed=0", f"style={style}", "size=64"] for style in ("ink", "waves")),
        *(["seed=1", f"style={style}", "size=64"] for style in ("ink", "waves")),
    ]


def test_a_study_sweeps_what_its_size_says() -> None:
    full = study_params(config_of("study=layer_ablation"), ["study=layer_ablation"])
    quick = study_params(config_of("study=layer_ablation", "study.size=quick"), [])
    layers = "conv_1,conv_2,conv_4,conv_8"
    assert full == {"content_layer": layers, "init": "noise", "seed": "0,1,2"}
    assert quick == {**full, "size": 192, "optimizer.steps": 100}


@pytest.mark.parametrize("override", ["content_layer=conv_3", "+content_layer=conv_3"])
def test_the_command_line_replaces_an_axis_of_a_study(override: str) -> None:
    quick = config_of("study=layer_ablation", "study.size=quick")
    assert set(study_params(quick, [override])) == {"init", "seed", "size", "optimizer.steps"}


def test_without_a_study_nothing_is_added() -> None:
    assert study_params(config_of(), ["seed=0,1"]) == {}


def test_a_name_that_looks_like_an_interpolation_stays_as_it_was_written() -> None:
    overrides = OmegaConf.create(["content='\\${style}.png'", "seed=0"])
    assert as_written(overrides) == ["content='\\${style}.png'", "seed=0"]


def said_of_seeds(composed: Compose, *overrides: str) -> str | None:
    jobs = expand_sweep(overrides)
    return remark_on_seeds([composed(*job) for job in jobs], jobs)


def test_a_sweep_over_seeds_without_noise_is_told_so_once(composed: Compose) -> None:
    said = said_of_seeds(composed, "seed=0,1,2")
    assert said is not None
    assert said.startswith("seed decides nothing in 3 of 3 jobs, which start from a picture")
    assert "without noise: they are equal; init=noise makes a picture for each seed" in said


def test_what_a_sweep_varies_besides_its_seeds_is_counted(composed: Compose) -> None:
    said = said_of_seeds(composed, "seed=0,1", "style=ink,waves", "init=content,noise")
    assert said is not None
    assert said.startswith("seed decides nothing in 4 of 8 jobs")
    assert "they make 2 different pictures" in said


@pytest.mark.parametrize(
    "overrides",
    [
        ("seed=0,1", "init=noise"),
        ("seed=0,1", "task=texture"),
        ("seed=0,1", "init=content", "init.amplitude=0.1"),
        ("style=ink,waves",),
    ],
)
def test_seeds_that_count_are_not_remarked_on(
    composed: Compose, overrides: tuple[str, ...]
) -> None:
    assert said_of_seeds(composed, *overrides) is None


def test_what_is_given_in_vain_is_said_once_before_the_first_job(composed: Compose) -> None:
    jobs = [["loss.style_weight=50", f"strength={strength}"] for strength in (0.2, 0.8)]
    (said,) = remarks_on([composed(*job) for job in jobs], jobs)
    assert said.startswith("strength decides nothing here")
    jobs = [["task=content", "style=ink"], ["task=texture", "style=ink"]]
    assert remarks_on([composed(*job) for job in jobs], jobs) == [
        "in 1 of 2 jobs style decides nothing here: task=content has no style"
    ]
