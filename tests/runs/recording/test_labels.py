from __future__ import annotations

from pathlib import Path

import pytest

from nst.config.layers import resolve
from nst.runs.recording.labels import (
    NAME_LIMIT,
    facets,
    layers_label,
    plain,
    run_name,
    run_tags,
    short_name,
    short_tag,
    sweep_group,
)
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


def test_names_fit_and_differ() -> None:
    long = "content=photo.jpg," * 20
    assert len(short_name(long)) == NAME_LIMIT
    assert short_name(long) != short_name(long + "x")
    assert short_name("größe.png") == "größe.png"


@pytest.mark.parametrize("name", ["two\nlines", "caf\udce9.jpg", " spaces  ", "tab\t"])
def test_names_are_one_line_that_can_be_written(name: str) -> None:
    shown = short_name(name)
    assert shown.encode()
    assert shown == " ".join(shown.split())


def test_a_variable_names_a_run_and_goes_before_the_names_of_a_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run_name("seed=0", None) == run_name("seed=0", "today") == "seed=0"
    monkeypatch.setenv("WANDB_NAME", "blue")
    assert run_name("seed=0", None) == "blue"
    assert run_name("seed=0", "today") == "blue seed=0"


@pytest.mark.parametrize(
    ("folder", "group"),
    [
        ("outputs/layer_ablation/2026-01-31/12-00-00", "layer_ablation/2026-01-31/12-00-00"),
        ("runs/blue", "runs/blue"),
        ("runs/../blue/", "blue"),
        ("outputs", "outputs"),
        ("/data/me/outputs/blue", "blue"),
        ("/data/outputs/old/outputs/blue", "blue"),
    ],
)
def test_the_group_of_a_sweep_is_what_a_person_would_call_its_folder(
    folder: str, group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sweep_group(folder) == group
    assert sweep_group(str(Path(folder).resolve())) == group


def test_folders_elsewhere_have_groups_of_their_own_and_tell_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    groups = {sweep_group(folder) for folder in ("/data/one/blue", "/data/two/blue", "../blue")}
    assert len(groups) == 3
    assert {group[:-8] for group in groups} == {"blue-"}
    assert len(sweep_group(f"/data/{'blue' * 50}")) == NAME_LIMIT


def test_a_config_is_sent_as_json_has_it() -> None:
    config = {"a": [1, float("inf"), {"b": float("nan")}], "c": "caf\udce9", "d": None, 1: True}
    assert plain(config) == {"a": [1, "inf", {"b": "nan"}], "c": "caf?", "d": None, "1": True}


def test_a_tag_is_there_once(composed: Compose) -> None:
    assert run_tags(composed("logger.tags=[transfer,mine,mine]")).count("transfer") == 1


def test_facets_are_plain_values(composed: Compose) -> None:
    layers = ("content_layer=input", "style_layers=[conv_13,pool_2]")
    values = facets(composed(*layers, "loss.style_weight=50"))
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
