"""Every file under conf/ composes and runs; presets hold the published numbers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest
import yaml
from torch import Tensor

from nst.backbones.network import Backbone
from nst.command.configs import CONF
from nst.command.help.lists import first_comment
from nst.config import GROUPS, Config, layer_sets
from nst.config.derived import pixel_format
from nst.losses.objective import Objective
from nst.losses.terms import terms_from_config
from nst.runs.transfer import Transfer
from tests.conftest import Compose

CHOICES = [(group, file.stem) for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]
PRESETS = [choice for group, choice in CHOICES if group == "preset"]
# Offline, so no ImageNet weights; the small network has VGG-19's layer names and is quick.
OFFLINE = {
    "backbone=vgg19": ["backbone.weights=random"],
    "backbone=vgg16": ["backbone.weights=random"],
    "backbone=vgg19_caffe": ["backbone.weights=random"],
    "backbone=vgg16_caffe": ["backbone.weights=random"],
    "backbone=squeezenet1_0": ["backbone.weights=random"],
    "init=image": ["init.image=ink"],
    **{  # these name layers that VGG-16 lacks
        f"layers={name}": ["backbone=vgg19_mini"] for name in ("all", "deeplearning_ai", "wide")
    },
    "loss=fastai_lesson8": ["layers=fastai_lesson8"],  # it has a weight for each
}


@pytest.mark.parametrize(
    ("group", "choice"),
    [
        pytest.param(group, choice, marks=[] if group == "preset" else pytest.mark.slow)
        for group, choice in CHOICES
    ],
)
def test_every_choice_composes_and_runs_two_steps(
    composed: Compose, group: str, choice: str
) -> None:
    extra = OFFLINE.get(f"{group}={choice}", [])
    if group == "preset":
        extra = ["backbone=vgg19_mini", "passes=[]"]
    cfg = composed(f"{group}={choice}", *extra, "optimizer.steps=2", "size=32", "logger=none")
    steps = list(Transfer(cfg).run())
    assert [p.step for p in steps] == [0, 1, 2]
    assert all(bool(p.terms.isfinite().all()) for p in steps)


def test_every_file_says_what_it_is() -> None:
    for group, choice in CHOICES:
        assert first_comment(CONF / group / f"{choice}.yaml"), f"{group}/{choice}"
    assert {group for group, _ in CHOICES} == set(GROUPS)
    groups = {folder.name for folder in CONF.iterdir() if folder.is_dir()}
    assert groups - {"hydra"} == set(GROUPS)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_cites_its_source_and_has_a_loss_of_its_own(preset: str) -> None:
    text = (CONF / "preset" / f"{preset}.yaml").read_text(encoding="utf-8")
    comments = " ".join(line for line in text.splitlines() if line.startswith("#"))
    paper, page = r"arXiv \d{4}\.\d{4,5}", r"\w\.(com|io|org)/\w"
    assert re.search(f"{paper}|{page}|course|lesson|assignment", comments), comments
    assert (CONF / "loss" / f"{preset}.yaml").is_file()
    assert {"override /loss": preset} in yaml.safe_load(text)["defaults"]


Preset = Callable[[str], Config]


@pytest.fixture
def preset(composed: Compose) -> Preset:
    def build(name: str) -> Config:
        return composed(f"preset={name}")

    return build


def layers(cfg: Config) -> tuple[str, str]:
    content, style = layer_sets(cfg)
    return " ".join(content), " ".join(style)


def style_weights(cfg: Config) -> list[float]:
    """β w_l of the style layers."""
    spec = terms_from_config(cfg)
    pairs = zip(spec.terms, spec.weights, strict=True)
    return [weight for term, weight in pairs if term.kind == "style"]


BLOCK_STARTS = "relu_1 relu_3 relu_5 relu_9 relu_13"


@pytest.mark.parametrize(
    ("name", "content", "style"),
    [
        ("gatys2015", "relu_10", BLOCK_STARTS),
        ("gatys_notebook", "relu_10", BLOCK_STARTS),
        ("neural_style", "relu_10", BLOCK_STARTS),
        ("pytorch_tutorial", "conv_4", "conv_1 conv_2 conv_3 conv_4 conv_5"),
        ("chollet_keras", "relu_14", BLOCK_STARTS),
        ("deeplearning_ai", "relu_16", BLOCK_STARTS),
        ("fastai_lesson8", "relu_9", "relu_2 relu_4 relu_6 relu_9 relu_12"),  # VGG-16 counts so
    ],
)
def test_layers_of_the_recipes(preset: Preset, name: str, content: str, style: str) -> None:
    assert layers(preset(name)) == (content, style)


def test_numbers_of_the_recipes(preset: Preset) -> None:
    gatys = preset("gatys2015")
    assert gatys.backbone.pooling.name == "avg"
    assert gatys.loss.content_weight / gatys.loss.style_weight == 1e-3
    assert style_weights(gatys) == pytest.approx([1000 / 5] * 5)
    course = preset("deeplearning_ai")
    assert (course.loss.content_weight, course.loss.style_weight) == (10, 40)
    assert (course.optimizer.name.name, course.optimizer.clamp) == ("adam", True)
    assert (course.optimizer.steps, course.snapshot_every) == (3001, 250)
    assert style_weights(course) == pytest.approx([40 * 0.2] * 5)
    keras = preset("chollet_keras")
    assert keras.optimizer.lr == pytest.approx(100 / 255**2, rel=1e-4)
    assert keras.loss.tv_weight == pytest.approx(1e-6 * 255**2.5, rel=1e-4)
    assert (keras.optimizer.decay_rate, keras.optimizer.decay_steps) == (0.96, 100)
    fastai = preset("fastai_lesson8")
    assert style_weights(fastai) == pytest.approx([0.05, 0.2, 0.2, 0.25, 0.3])
    assert (fastai.backbone.name.name, fastai.backbone.pooling.name) == ("vgg16", "avg")
    johnson = preset("neural_style")
    assert (johnson.loss.content_weight, johnson.loss.style_weight) == (5, 100)
    assert johnson.init.amplitude == pytest.approx(1e-3 / 255, rel=1e-2)
    assert johnson.loss.tv_weight == pytest.approx(1e-3 / 2 * 255**2, rel=1e-4)
    tutorial = preset("pytorch_tutorial")
    assert (tutorial.loss.content_weight, tutorial.loss.style_weight) == (1, 1e6)
    assert (tutorial.optimizer.steps, tutorial.optimizer.clamp) == (300, True)
    notebook = preset("gatys_notebook")
    assert notebook.optimizer.steps == 500
    assert [(p.scale * 512, p.steps) for p in notebook.passes] == [(800, 200)]


def test_recipes_written_for_caffes_network_take_it(preset: Preset) -> None:
    for name in PRESETS:
        backbone = preset(name).backbone
        for_caffe = name in ("gatys2015", "gatys_notebook", "neural_style", "chollet_keras")
        assert backbone.weights == ("caffe" if for_caffe else "imagenet"), name


@pytest.mark.parametrize(
    ("backbone", "weights", "input"),
    [
        ("vgg19_mini", "shipped", "imagenet"),
        ("vgg19", "imagenet", "imagenet"),
        ("vgg16_caffe", "caffe", "caffe"),
    ],
)
def test_another_network_beside_a_recipe_brings_its_own_weights(
    composed: Compose, backbone: str, weights: str, input: str
) -> None:
    cfg = composed("preset=gatys2015", f"backbone={backbone}").backbone
    assert (cfg.weights, pixel_format(cfg.weights, cfg.input.name)) == (weights, input)
    assert cfg.pooling.name == "avg"


def test_caffes_networks_are_those_of_torchvision_but_for_their_weights(composed: Compose) -> None:
    for name in ("vgg19", "vgg16"):
        caffe = composed(f"backbone={name}_caffe").backbone
        assert caffe == dataclasses.replace(composed(f"backbone={name}").backbone, weights="caffe")


def test_the_notebook_is_neural_style_with_other_weights(composed: Compose) -> None:
    """gatys_notebook = neural_style with style 1000, content 1, TV 0."""
    weights = ["loss.style_weight=1000", "loss.content_weight=1", "loss.tv_weight=0"]
    steps = ["backbone=vgg19_mini", "optimizer.steps=3", "init=noise"]
    notebook = list(Transfer(composed("loss=gatys_notebook", *steps)).run())
    johnson = list(Transfer(composed("loss=neural_style", *weights, *steps)).run())
    for a, b in zip(notebook, johnson, strict=True):
        assert a.terms.tolist() == b.terms.tolist()


def test_the_tutorials_style_loss_is_gatys_times_4e6_over_c_squared(
    composed: Compose, mini: Backbone, picture: Tensor
) -> None:
    def style_loss(recipe: str) -> float:
        spec = terms_from_config(composed(f"loss={recipe}", "task=texture", "style_layers=relu_3"))
        (value, _tv) = Objective.of_pictures(mini, spec, style=picture.flip(1))(picture)[0].tolist()
        return float(value)

    gatys = style_loss("gatys2015") / 1000  # α/β = 1e-3
    assert style_loss("pytorch_tutorial") == pytest.approx(1e6 * 4 * gatys / 32**2, rel=1e-5)
