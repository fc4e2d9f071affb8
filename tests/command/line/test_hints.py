"""What other programs call things is answered with our key."""

from __future__ import annotations

import re
import shlex

import pytest

import nst
from nst.command.line import hints
from nst.command.line.arguments import prepared
from nst.command.line.hints import close, hint, value_hint
from nst.command.line.keys import unknown_key
from nst.config import GROUPS, documented_keys
from nst.errors import InputError


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        ("steps=500", "optimizer.steps=500"),
        ("iterations=500", "optimizer.steps=500"),
        ("num_iterations=500", "optimizer.steps=500"),
        ("num_steps=300", "optimizer.steps=300"),
        ("training.steps=300", "optimizer.steps=300"),
        ("maxIter=300", "optimizer.steps=300"),
        ("image_size=512", "size=512"),
        ("img_size=512", "size=512"),
        ("content_image=a.png", "content=a.png"),
        ("style_image=b.png", "style=b.png"),
        ("content_img_name=a.png", "content=a.png"),
        ("style_image=my wall.png", "'style=my wall.png'"),
        ("lr=1", "optimizer.lr=1"),
        ("learning_rate=1", "optimizer.lr=1"),
        ("batch_size=4", "-m hydra/launcher=batched hydra.launcher.max_batch=4"),
        ("model=vgg19", "backbone=vgg19"),
        ("network=vgg16_caffe", "backbone=vgg16_caffe"),
        ("model=vgg", "backbone=vgg19"),
        ("model=my.pth", "backbone.weights=my.pth"),
        ("model_file=models/vgg.caffemodel", "backbone.weights=models/vgg.caffemodel"),
        ("gpu=0", "device=cuda:0"),
        ("gpu=1", "device=cuda:1"),
        ("gpu=-1", "device=cpu"),
        ("gpu=c", "device=cpu"),
        ("cuda=1", "device=cuda"),
        ("cuda=false", "device=cpu"),
        ("output_image=out.png", "output=out.png"),
        ("output_dir=out", "hydra.run.dir=out"),
        ("content_weight=5", "loss.content_weight=5"),
        ("style_weight=100", "loss.style_weight=100"),
        ("style.weight=100", "loss.style_weight=100"),
        ("tv_weight=0.001", "loss.tv_weight=0.001"),
        ("total_variation_weight=3", "loss.tv_weight=3"),
        ("init_image=a.png", "init=image init.image=a.png"),
        ("init_method=noise", "init=noise"),
        ("init.scale=0.1", "init.amplitude=0.1"),
        ("pooling=avg", "backbone.pooling=avg"),
        ("pooling_type=average", "backbone.pooling=avg"),
        ("content_layers=relu4_2", "content_layer=relu4_2"),
        ("content_layers=relu4_2,relu5_1", "'content_layer=[relu4_2,relu5_1]'"),
        ("lbfgs_num_correction=50", "optimizer.history_size=50"),
        ("save_iter=50", "snapshot_every=50"),
        ("random_seed=3", "seed=3"),
        ("num_threads=2", "threads=2"),
        ("fp16=true", "precision=bfloat16"),
        ("wandb=false", "logger=none"),
        ("wandb_project=x", "logger.project=x"),
        ("launcher=batched", "hydra/launcher=batched"),
        ("multirun=true", "-m"),
        ("+steps=500", "optimizer.steps=500"),
        ("optimizer.pooling=avg", "backbone.pooling=avg"),
        ("steps=", "optimizer.steps"),
    ],
)
def test_names_of_other_programs_lead_to_ours(argument: str, answer: str) -> None:
    with pytest.raises(InputError) as caught:
        prepared(["size=64", argument])
    name = argument.partition("=")[0].lstrip("+")
    assert str(caught.value).startswith(f"unknown key '{name}'; did you mean {answer}?")


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        ("original_colors=1", "no key keeps the content's colours"),
        ("style_blend_weights=1,2", "a run has one style"),
        ("style_mask=a.png", "no key takes a mask"),
        ("backend=cudnn", "torch chooses this itself"),
        ("print_iter=50", "every step is in the run's trace.csv"),
        ("video=a.mp4", "a run makes one picture"),
    ],
)
def test_what_there_is_not_is_said_with_what_to_do(argument: str, answer: str) -> None:
    name = argument.partition("=")[0]
    assert str(unknown_key(argument)).startswith(f"unknown key '{name}': {answer}")


@pytest.mark.parametrize(
    "argument", ["epochs=10", "style_scale=0.5", "min_scale=128", "model=resnet50", "pooling=l2"]
)
def test_a_value_that_means_something_else_here_is_not_carried_over(argument: str) -> None:
    name, _, value = argument.partition("=")
    answer = hint(name, value)
    assert answer is not None
    assert answer.write in documented_keys() or answer.write in GROUPS
    assert answer.note


def test_every_answer_is_a_key_that_there_is() -> None:
    known = {*documented_keys(), *GROUPS, "hydra/launcher", "hydra/sweeper", "-m"}
    names = [name for table in (hints._CALLED, hints._NOWHERE) for name in table.values()]
    for name in [*" ".join(names).split(), *hints._BY_VALUE]:
        assert name not in {*documented_keys(), *GROUPS} - {"content_layer", "style_layers"}, name
        answer = hint(name, "1")
        assert answer is not None, name
        for part in shlex.split(answer.write):
            key = part.partition("=")[0]
            assert key in known or key.startswith("hydra."), (name, key)


@pytest.mark.parametrize(
    ("argument", "key"),
    [
        ("step=500", "optimizer.steps"),
        ("stpes=500", "optimizer.steps"),
        ("stlye_weight=3", "loss.style_weight"),
        ("contnt=a.png", "content"),
        ("imagesiz=3", "size"),
        ("optimizer.larning_rate=1", "optimizer.lr"),
        ("logger.projct=x", "logger.project"),
        ("backbone.polling=avg", "backbone.pooling"),
        ("repeet=x", "repeat"),
    ],
)
def test_a_misspelt_name_is_compared_with_last_parts_and_with_other_programs(
    argument: str, key: str
) -> None:
    assert f"did you mean {key}? (known: " in str(unknown_key(argument))


def test_what_is_like_nothing_has_no_hint() -> None:
    assert close("zebra") == ""
    assert hint("zebra", "3") is None
    assert hint("scale", "3") is None
    assert "did you mean" not in str(unknown_key("zebra=3"))


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        ("size=abc", "size=abc: expected a whole number"),
        ("size=640x480", "expected a whole number or original; did you mean size=640?"),
        ("size=512px", "expected a whole number or original; did you mean size=512?"),
        ("strength=50%", "expected a number; did you mean strength=0.5?"),
        ("optimizer.steps=1e3", "expected a whole number; did you mean optimizer.steps=1000?"),
        ("optimizer.steps=adam", "expected a whole number; did you mean optimizer=adam?"),
        ("task=vgg19", "did you mean backbone=vgg19?"),
        ("precision=bfloat1", "did you mean bfloat16?"),
    ],
)
def test_a_value_of_the_wrong_type_is_guessed(argument: str, answer: str) -> None:
    with pytest.raises(InputError, match=re.escape(answer)):
        nst.compose(argument)


def test_a_value_that_says_nothing_is_not_guessed() -> None:
    assert value_hint("size", "many") == ""
    assert value_hint("nothing", "512px") == ""
    assert value_hint("size", 5000 * "9" + "x3") == ""
