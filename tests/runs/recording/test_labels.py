from __future__ import annotations

import pytest

from nst.config.layers import resolve
from nst.runs.recording.labels import facets, layers_label, run_tags, short_tag
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("layers", "label"),
    [
        (["conv_4"], "conv_4"),
        (["conv_1", "conv_2", "conv_3", "conv_4", "conv_5"], "conv_1-5"),
        (["conv_16", "conv_2", "conv_8", "conv_4"], "conv_2+4+8+16"),
        (["conv_9", "conv_10", "conv_11", "conv_13"], "conv_9-11+13"),
        (["relu_2", "conv_1", "input"], "conv_1+input+relu_2"),
        (["fire2", "fire3", "relu_1"], "fire2-3+relu_1"),
    ],
)
def test_labels_of_layer_sets(layers: list[str], label: str) -> None:
    assert layers_label(layers) == layers_label(layers[::-1]) == label


def test_one_position_has_one_label(composed: Compose) -> None:
    """Whatever name it was asked for by."""
    names = ("conv4_2", "conv_9")
    labels = {facets(composed(f"content_layer={name}"))["layers"]["content"] for name in names}
    assert labels == {"conv_9"}


def test_tags_of_the_tasks(composed: Compose) -> None:
    layers = "style_layers=[conv_1,conv_2,conv_3]"
    transfer = run_tags(composed("content_layer=conv_4", layers, "optimizer=adam"))
    assert transfer == [
        *("transfer", "vgg16_mini", "weights:shipped", "content:conv_4", "style:conv_1-3"),
        *("init:content", "optimizer:adam", "seed:0"),
    ]
    texture = run_tags(composed("task=texture", layers, "seed=3", "logger.tags=[mine]"))
    assert texture[3:] == ["style:conv_1-3", "init:noise", "optimizer:lbfgs", "seed:3", "mine"]
    assert "style" not in "".join(run_tags(composed("task=content")))


def test_tags_fit_and_differ(composed: Compose) -> None:
    everything = [f"{stem}_{k}" for stem in ("conv", "relu") for k in range(1, 17, 2)]
    tags = [
        run_tags(composed("backbone=vgg19_mini", f"style_layers=[{','.join(names)}]"))
        for names in (everything, [*everything, "pool_5"], [*everything, "pool_4"])
    ]
    assert max(len(tag) for each in tags for tag in each) <= 64
    assert len({tuple(each) for each in tags}) == 3
    assert len(short_tag("x" * 65)) == 64
    assert short_tag("x" * 65) != short_tag("x" * 66)
    assert short_tag("x" * 64) == "x" * 64


def test_a_tag_is_there_once(composed: Compose) -> None:
    assert run_tags(composed("logger.tags=[transfer,mine,mine]")).count("transfer") == 1


def test_facets_are_plain_values(composed: Compose) -> None:
    values = facets(composed("content_layer=input", "style_layers=[conv_13,pool_2]"))
    assert values == {
        "layers": {
            **{"content": "input", "content_depth": 0},
            **{"style": "conv_13+pool_2", "style_depth": 13},
        },
        "start": "content",
        "style_to_content": 50,
    }
    texture = facets(composed("task=texture", "init=smooth_noise"))
    assert texture["layers"]["content"] is texture["layers"]["content_depth"] is None
    assert texture["start"] == "smooth_noise"
    assert texture["style_to_content"] is None
    assert facets(composed("loss.content_weight=0"))["style_to_content"] is None


def test_every_layer_has_a_label_of_its_own() -> None:
    names = resolve(["input", *(f"conv_{k}" for k in range(1, 17))], "vgg19")
    assert len({layers_label([name]) for name in names}) == 17
