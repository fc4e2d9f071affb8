"""What a command line says in vain is said once; what a recipe says in vain is not."""

from __future__ import annotations

import pytest

from nst.config.remarks import remarks
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("overrides", "remark"),
    [
        (["task=content", "style=ink"], "style decides nothing here: task=content has no style"),
        (
            ["task=content", "loss.style.activation_shift=0.1"],
            "loss.style.activation_shift",
        ),
        (["task=content", "style=ink", "style_size=64"], "style and style_size decide nothing"),
        (["task=texture", "++content=chelsea"], "content decides nothing here: task=texture"),
        (["init.image=ink"], "init.image decides nothing here: the start is content; choose init="),
        (["init.sigma=2"], "init.sigma decides nothing here: the start is content"),
        (["backbone.seed=3"], "backbone.seed decides nothing here: backbone.weights=shipped"),
        (["logger.project=mine"], "logger.project decides nothing here: nothing is logged"),
        (
            ["optimizer.steps=20", "snapshot_every=21"],
            "snapshot_every decides nothing here",
        ),
    ],
)
def test_overrides_that_decide_nothing_are_named(
    composed: Compose, overrides: list[str], remark: str
) -> None:
    (said,) = remarks(composed(*overrides), overrides)
    assert said.startswith(remark)


@pytest.mark.parametrize(
    "overrides",
    [
        ["size=64", "style=ink", "content=coffee", "seed=3", "style_layers=[conv_1]"],
        ["task=content", "init=style", "style=ink", "loss.content_weight=2"],
        ["task=texture", "init=content", "content=coffee", "size=64"],
        ["init=image", "init.image=ink"],
        ["backbone.weights=random", "backbone.seed=3", "task=content"],
        ["optimizer.steps=20", "passes=[{scale: 1, steps: 5}]", "snapshot_every=25"],
        ["preset=gatys2015", "task=content"],
    ],
)
def test_what_decides_something_is_not_remarked_upon(
    composed: Compose, overrides: list[str]
) -> None:
    assert remarks(composed(*overrides), overrides) == []
