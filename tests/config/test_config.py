from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException, HydraException

import nst
from nst import config
from nst.command.configs import CONF, register
from nst.config import layers
from nst.errors import InputError
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer=adm", "adam"),
        ("backbone=vgg91", "squeezenet1_0"),
        ("layers=gatys", "gatys2015"),
        ("loss=balance", "balanced"),
        ("init=nois", "smooth_noise"),
        ("logger=tensorboard", "wandb"),
        ("preset=gatys", "gatys_notebook"),
        ("task=style", r"transfer, content, texture"),
        ("backbone.pooling=mean", r"max, avg, blur"),
        ("backbone.input=rgb", r"auto, imagenet, caffe"),
        ("optimizer.steps=many", "Integer"),
        ("optimizer.steps=1.5", "Integer"),
        ("seed=512px", "Integer"),
        ("loss.style_weight=heavy", "Float"),
        ("optimizer.clamp=perhaps", "bool"),
        ("seed=null", "not Optional"),
        ("sizes=3", "sizes"),
        ("loss.styleweight=3", "styleweight"),
    ],
)
def test_typos_and_wrong_types_fail_while_composing(override: str, message: str) -> None:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        with pytest.raises((HydraException, ConfigCompositionException)) as caught:
            compose("config", [override])
    assert message in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("size=0", "size=0: expected a longest side of 16"),
        ("size=-512", "size=-512"),
        ("style_size=3", "style_size=3"),
        ("optimizer.steps=-1", "optimizer.steps=-1: expected 0 or more"),
        ("optimizer.lr=0", "optimizer.lr=0"),
        ("optimizer.lr=inf", "optimizer.lr=inf"),
        ("optimizer.lr=nan", "optimizer.lr=nan"),
        ("optimizer.momentum=0.9", "optimizer.momentum is for sgd, not for lbfgs"),
        ("optimizer.history_size=0", "optimizer.history_size=0: expected 1 to 1000"),
        ("optimizer.divergence_factor=0.5", "optimizer.divergence_factor=0.5: expected 1 or more"),
        ("loss.style_weight=-1", "loss.style_weight=-1"),
        ("loss.tv_weight=nan", "loss.tv_weight=nan"),
        ("loss.style_layer_weights=[1,2]", "2 weights for 5 layers"),
        ("loss.style_layer_weights=equal", "mean, sum or a list"),
        ("loss.content_layer_weights=[-1]", "0 to 1e30"),
        ("init.amplitude=-1", "init.amplitude"),
        ("init.mean=2", "init.mean=2"),
        ("optimizer.decay_rate=0.5", "optimizer.decay_rate is for adam and sgd, not for lbfgs"),
        ("optimizer.history_size=null", "optimizer.history_size is not set; choose the optimiser"),
        ("optimizer.initial_hessian_scale=99", "initial_hessian_scale=99.0: expected 0.1 to 10"),
        ("coarse_scales=[0.5,0.25]", "auto, 1 or rising numbers below 1"),
        ("coarse_scales=[0.25]", "coarse_scales=[0.25]: expected 16 px or more at size=32"),
        ("gradient_checkpointing=maybe", "gradient_checkpointing=maybe: expected auto, true"),
        ("init=image", "init.image=null: expected a path"),
        ("seed=-1", "seed=-1"),
        ("snapshot_every=-5", "snapshot_every=-5"),
        ("device=gpu", "expected auto, cpu, cuda"),
        ("content=nowhere.jpg", "content=nowhere.jpg: no such file"),
        ("content=astronot", "did you mean astronaut?"),
        ("style=swril", "did you mean swirl?"),
        ("backbone.weights=imagnet", "did you mean imagenet?"),
        ("backbone.weights=cafe", "did you mean caffe?"),
        ("backbone.input=caffe", "backbone.input=caffe contradicts backbone.weights=shipped"),
        ("content_layer=conv_14", "content_layer: vgg16_mini has no layer 'conv_14'"),
        ("style_layers=[conv_1,fire2]", "style_layers: vgg16_mini has no layer 'fire2'"),
        ("style_layers=[]", "no layer is named"),
        ("content_layer=4", "content_layer=4: expected a layer's name"),
        ("content_layer=null", "expected a layer's name"),
        ("passes=[{scale:0,steps:1}]", r"passes[0].scale=0"),
        ("passes=[{scale:2}]", "passes[0].steps is not set"),
        ("+foo=3", "unknown key 'foo'"),
        ("+loss.stile_weight=3", "did you mean style_weight?"),
        ("logger.tags=['']", "tags of 1 to 64"),
        ("report.figure_width=0.5", "1 to 20 inches"),
        ("report.judge=vgg18", "did you mean vgg19"),
        ("report.judge_weights=imagenet", "report.judge beside it"),
        ("report.judge_weights=nowhere.pth", "no such file"),
        ("passes=[{scale:2,steps:0}]", r"passes[0].steps=0"),
        ("passes=[{scale:0.1,steps:1}]", "passes[0].scale=0.1: expected a longest side of 16"),
        ("loss.style_weight=1e31", "loss.style_weight=1e+31: expected a finite number, 0 to 1e30"),
        ("loss.content_layer_weights=[1e31]", "0 to 1e30"),
        ("seed=9223372036854775808", "expected a whole number from 0 to 2**63 - 1"),
        ("threads=true", "threads=true: expected auto or 1 to 1024"),
        ("threads=1025", "threads=1025: expected auto or 1 to 1024"),
        ("checkpoint_every=99999999999999999999", "expected auto (about every minute)"),
        ("device=cuda:99999999999", "device=cuda:99999999999: expected auto, cpu"),
        ("init.sigma=0", "init.sigma=0.0: expected more than 0"),
        ("content_layer=[conv_1,conv1_1]", "layer conv_1 is named twice in conv_1, conv1_1"),
        ("style_layers=[conv_1,[conv_2]]", "style_layers=[conv_1, [conv_2]]: expected a layer's"),
        ("loss.style_layer_weights=[]", "0 weights for 5 layers"),
        ("logger.tags=[[1]]", "logger.tags=[[1]]: expected a list, as [a, b]"),
        ("+loss.style={3: 4}", "loss.style.3=4: expected a key that is text"),
        ("content='a\nb'", "content=a\\nb: neither an image file nor a sample"),
        ("content=???", "content is not set"),
        ("optimizer.steps=???", "optimizer.steps is not set; choose by optimizer=NAME"),
        ("size=${nothing}", "size=${nothing}: Interpolation key 'nothing' not found"),
        ("content=${oc.env:NST_NOTHING}", "Environment variable 'NST_NOTHING' not found"),
        ("passes=[{scale: '${nothing}', steps: 1}]", "passes[0].scale=${nothing}: Interpolation"),
        ("~backbone", "backbone.default_content_layer is not set; choose by backbone=NAME"),
        ("~optimizer", "optimizer.name is not set; choose by optimizer=NAME"),
    ],
)
def test_values_that_cannot_work_fail_with_one_line(
    composed: Compose, override: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        composed(override)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_what_the_task_needs_is_checked(composed: Compose) -> None:
    assert composed("task=texture", "content=nowhere.jpg").task is config.Task.texture
    assert composed("task=content", "style=nowhere.jpg", "style_layers=nonsense")
    with pytest.raises(InputError, match="content=nowhere"):
        composed("task=texture", "content=nowhere.jpg", "init=content")


def test_a_layer_set_fills_both_keys_and_the_command_line_wins(composed: Compose) -> None:
    vgg19 = ("backbone=vgg19_mini", "layers=deeplearning_ai")  # the set has its last layer
    cfg = composed(*vgg19)
    assert config.layer_sets(cfg) == (
        ("relu_16",),
        ("relu_1", "relu_3", "relu_5", "relu_9", "relu_13"),
    )
    cfg = composed(*vgg19, "content_layer=conv_4")
    assert config.layer_sets(cfg)[0] == ("conv_4",)
    cfg = composed("content_layer=[conv_4,conv_8]")
    assert config.layer_sets(cfg)[0] == ("conv_4", "conv_8")


def test_default_layers_follow_the_backbone(composed: Compose) -> None:
    cfg = composed("backbone=squeezenet1_0", "backbone.weights=random")
    assert config.layer_sets(cfg)[1][-1] == "fire8"


def test_layer_weights() -> None:
    two = ("conv_1", "conv_2")
    assert config.layer_weights("mean", two, "k") == {"conv_1": 0.5, "conv_2": 0.5}
    assert config.layer_weights("sum", two, "k") == {"conv_1": 1.0, "conv_2": 1.0}
    assert config.layer_weights([3, 0.5], two, "k") == {"conv_1": 3.0, "conv_2": 0.5}


def test_the_hash_changes_with_what_decides_the_picture_alone(composed: Compose) -> None:
    base = config.config_hash(composed())
    assert config.config_hash(composed("logger=wandb", "logger.mode=online")) == base
    assert config.config_hash(composed("snapshot_every=5")) == base
    assert config.config_hash(composed("report.enabled=false", "report.figure_width=7")) == base
    for override in ("seed=1", "loss.style_weight=2", "content_layer=conv_4", "style=ink"):
        assert config.config_hash(composed(override)) != base


def test_a_python_config_is_checked_too() -> None:
    cfg = nst.compose()
    with pytest.raises(InputError, match="size=8"):
        config.check(replace(cfg, size=8))
    texture = replace(cfg, task="texture")  # type: ignore[arg-type]
    config.check(texture)
    assert texture.task is config.Task.texture
    with pytest.raises(InputError, match=r"task=style: expected one of transfer, content"):
        config.check(replace(cfg, task="style"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "64"}, "size=64: expected a whole number"),
        ({"size": 64.0}, "size=64.0: expected a whole number"),
        ({"seed": True}, "seed=true: expected a whole number"),
        ({"content": None}, "content=null: expected text"),
        ({"resume": 1}, "resume=1: expected true or false"),
        ({"passes": [{"scale": 2, "steps": 3}]}, r"expected a list, as \[{scale: …, steps: …}\]"),
        ({"loss": None}, "loss=null: expected a mapping of its keys"),
        ({"content": "a\0b"}, r"content=a\\x00b: expected text in UTF-8; rename the file"),
        ({"style": "\udcff.png"}, r"style=\\udcff.png: expected text in UTF-8"),
        ({"task": 3}, "task=3: expected one of transfer, content, texture"),
        ({"style_size": "x"}, "style_size=x: expected a whole number or null"),
    ],
)
def test_types_of_a_python_config_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config.check(replace(nst.compose(), **changes))


def test_every_key_is_documented() -> None:
    keys = config.documented_keys()
    for name, key in keys.items():
        assert key.text.endswith("."), name
        assert name == key.name
    asked_for = (
        "task content style size content_layer style_layers backbone.weights backbone.pooling "
        "loss.content_weight loss.style_weight loss.tv_weight optimizer.steps optimizer.lr seed "
        "device snapshot_every logger.mode"
    )
    assert set(asked_for.split()) <= set(keys)


def test_the_backbones_of_the_config_are_those_of_the_code() -> None:
    assert set(config.BackboneName.__members__) == set(layers.BACKBONES)
