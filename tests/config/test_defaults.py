"""Neutral defaults: a recipe is what its YAML says, and Python gets what the command line gets."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import nst
from nst.command.configs import CONF
from nst.config import Config, InitKind, LossConfig, OptimizerConfig, Task, check, to_dict
from nst.config.schema import BackboneConfig, InitConfig, LoggerConfig
from nst.errors import InputError
from nst.losses.layer_loss import Role
from nst.losses.registry import make_loss
from nst.optimizers.from_config import make_optimizer
from nst.pictures.files import quantize
from nst.runs.transfer import Transfer
from tests.conftest import Compose

PARTS: dict[str, Any] = {
    "backbone": BackboneConfig,
    "init": InitConfig,
    "logger": LoggerConfig,
    "optimizer": OptimizerConfig,
}


def test_adam_has_its_own_rate_and_nothing_of_lbfgs() -> None:
    optimizer = nst.compose("optimizer=adam").optimizer
    assert (optimizer.lr, optimizer.decay_rate) == (0.02, 1)
    assert optimizer.history_size is optimizer.initial_hessian_scale is None
    assert optimizer.momentum is None


def test_sgd_keeps_its_decay() -> None:
    cfg = nst.compose("optimizer=sgd", "optimizer.lr=1", "optimizer.clamp=false").optimizer
    assert (cfg.decay_rate, cfg.decay_steps) == (0.96, 100)

    def slope(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return images.flatten(1).sum(1, keepdim=True), torch.ones_like(images)

    optimizer = make_optimizer(cfg, slope, torch.zeros(1, 1, 1, 1), steps=102)
    positions = [optimizer.step().images.item() for _ in range(103)]
    assert positions[0] - positions[1] == pytest.approx(1)
    assert positions[101] - positions[102] == pytest.approx(0.96**1.01, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "pooling", "weights", "content", "style"),
    [
        ("vgg19", "max", "imagenet", "relu3_3", ["relu1_1", "relu2_1", "relu3_1"]),
        ("squeezenet1_0", "avg", "imagenet", "fire5", ["relu_1", "fire2", "fire4"]),
        ("vgg19_mini", "blur", "shipped", "relu3_4", ["input", "relu1_1", "relu1_2"]),
    ],
)
def test_a_backbone_has_its_own_pooling_weights_and_layers(
    name: str, pooling: str, weights: str, content: str, style: list[str]
) -> None:
    cfg = nst.compose(f"backbone={name}")
    assert (cfg.backbone.pooling.name, cfg.backbone.weights) == (pooling, weights)
    assert cfg.content_layer == content
    assert cfg.style_layers[:3] == style


def test_a_run_from_noise_takes_more_steps_unless_the_steps_are_said() -> None:
    steps = {task: nst.compose(f"task={task}").optimizer.steps for task in Task}
    assert steps[Task.transfer] < steps[Task.texture] == steps[Task.content]
    assert nst.compose("task=texture", "optimizer.steps=7").optimizer.steps == 7
    assert nst.compose("task=texture", "preset=gatys2015").optimizer.steps == 500


def test_from_the_content_means_without_noise(composed: Compose) -> None:
    transfer = Transfer(composed("init=content", "optimizer.steps=0"))
    (start,) = (progress.images for progress in transfer.run())
    assert torch.equal(quantize(start), quantize(transfer.current.contents[0]))


def test_a_config_without_a_recipe_is_refused_in_one_line() -> None:
    for refuse in (check, Transfer):
        with pytest.raises(InputError) as caught:
            refuse(Config())
        assert "is not set; nst.compose() makes a whole config" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["backbone", "init", "optimizer"])
def test_so_is_a_part_without_its_recipe(part: str) -> None:
    cfg = dataclasses.replace(nst.compose(), **{part: PARTS[part]()})
    with pytest.raises(InputError, match=rf"^{part}\.\w+ is not set"):
        check(cfg)


def test_what_a_loss_is_where_no_recipe_says() -> None:
    plain = LossConfig()
    assert make_loss("content", plain.content, "loss.content").name == "features"
    assert make_loss("style", plain.style, "loss.style").name == "gram"
    assert (plain.content_weight, plain.style_weight, plain.tv_weight) == (1, 1, 0)
    assert plain.pixels == {}


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("backbone=vgg19", "optimizer=adam", "size=256"),
        ("preset=gatys_notebook", "loss.style.activation_shift=0.5", "task=texture"),
        ("loss=wasserstein2", "init=smooth_noise", "passes=[{scale: 1.5, steps: 3}]"),
        ("loss.style=wasserstein2", "loss.pixels.pixel_statistics.weight=3"),
    ],
    ids=" ".join,
)
def test_python_composes_what_the_command_line_composes(overrides: tuple[str, ...]) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "run.py", "--cfg", "job", "--resolve", *overrides]
    out = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert to_dict(nst.compose(*overrides)) == yaml.safe_load(out)


def test_values_of_python_are_those_of_the_command_line() -> None:
    by_value = nst.compose(
        size=256,
        init="content",
        style_size=None,
        report=False,
        coarse_scales=[0.25, 0.5],
        content_layer=["conv_1", "conv_2"],
        passes=[{"scale": 1.5, "steps": 3}],
        task=nst.compose().task,
    )
    by_text = nst.compose(
        *("size=256", "init=content", "style_size=null", "report=false", "task=transfer"),
        *("coarse_scales=[0.25,0.5]", "content_layer=[conv_1,conv_2]"),
        "passes=[{scale: 1.5, steps: 3}]",
    )
    assert by_value == by_text
    assert by_value.init.kind is InitKind.content


@pytest.mark.parametrize("name", ["photo (1).jpg", "é.jpg", "it's.jpg", "a=b,c.jpg", r"back\s.jpg"])
def test_paths_of_every_kind_are_values_of_python(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"a picture")
    assert nst.compose(content=tmp_path / name).content == str(tmp_path / name)


# --- what the files say ---------------------------------------------------------------------------


def redundant_keys(
    settings: dict[str, Any], default: dict[str, Any], prefix: str = ""
) -> list[str]:
    return [
        prefix + key for key, value in settings.items() if key in default and default[key] == value
    ]


FILES = [file for group in PARTS for file in sorted((CONF / group).glob("*.yaml"))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_choice_says_only_what_it_sets(file: Path) -> None:
    """Besides its own name no key has the value that it would have anyway."""
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    settings.pop("name", None)
    assert redundant_keys(settings, dataclasses.asdict(PARTS[file.parent.name]())) == []


@pytest.mark.parametrize("file", sorted((CONF / "loss").glob("*.yaml")), ids=lambda f: f.stem)
def test_a_loss_file_says_only_what_it_sets(file: Path) -> None:
    """No key has the value that it would have anyway; a name stands where options follow."""
    settings = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    default = dataclasses.asdict(LossConfig())
    redundant = redundant_keys(settings, default)
    parts: list[tuple[Role, str, dict[str, Any]]] = [
        ("content", "content", settings.get("content", {})),
        ("style", "style", settings.get("style", {})),
        *(
            ("pixels", f"pixels.{name}", {"name": name, **options})
            for name, options in settings.get("pixels", {}).items()
        ),
    ]
    for role, key, part in parts:
        options = {k: v for k, v in part.items() if k not in ("name", "weight")}
        if part:
            plain = dataclasses.asdict(make_loss(role, part["name"], key))  # type: ignore[call-overload]
            redundant += redundant_keys(options, plain, f"{key}.")
    assert redundant == []
