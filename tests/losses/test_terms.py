"""From a config to terms and their weights."""

from __future__ import annotations

import pytest

import nst
from nst.losses.features import Features
from nst.losses.gram import Gram
from nst.losses.pixel_statistics import PixelStatistics
from nst.losses.terms import Term, sum_by_kind, terms_from_config, weighted_terms
from nst.losses.total_variation import TotalVariation
from nst.losses.wasserstein2 import Wasserstein2


def test_each_layer_counts_its_share_of_its_losss_weight() -> None:
    terms = weighted_terms(
        {"conv_4": 0.5},
        {"relu_1": 0.25, "relu_3": 0.75},
        [(TotalVariation(), 11.0)],
        content_weight=3.0,
        style_weight=8.0,
    )
    assert terms.names == ("content/conv_4", "style/relu_1", "style/relu_3", "tv")
    assert terms.weights == (1.5, 2.0, 6.0, 11.0)
    assert [term.layer for term in terms.terms] == ["conv_4", "relu_1", "relu_3", "input"]


def test_a_config_becomes_terms() -> None:
    cfg = nst.compose(
        *("loss=gatys2015", "layers=gatys2015", "loss.tv_weight=3", "loss.style_weight=10"),
        *("loss.pixels.pixel_statistics.weight=7", "backbone=vgg19"),
    )
    terms = terms_from_config(cfg)
    styles = [f"style/relu_{k}" for k in (1, 3, 5, 9, 13)]
    assert terms.names == ("content/relu_10", *styles, "tv", "pixel_statistics")
    assert terms.weights == (1.0, *[2.0] * 5, 3.0, 7.0)
    losses = {term.kind: term.loss for term in terms.terms}
    assert losses == {
        "content": Features("half_sum"),
        "style": Gram("gatys"),
        "tv": TotalVariation(),
        "pixel_statistics": PixelStatistics(),
    }


def test_the_name_of_a_loss_alone_is_enough() -> None:
    terms = terms_from_config(nst.compose("task=texture", "loss.style=wasserstein2"))
    assert {t.loss for t in terms.terms if t.kind == "style"} == {Wasserstein2()}


def test_options_of_a_recipes_loss_can_be_changed_and_added() -> None:
    for loss in ("gatys2015", "cmu_study"):
        cfg = nst.compose("task=texture", f"loss={loss}", "loss.style.activation_shift=0.5")
        (style, *_) = (term.loss for term in terms_from_config(cfg).terms)
        expected = "gatys" if loss == "gatys2015" else "mean"
        assert style == Gram(expected, activation_shift=0.5)


@pytest.mark.parametrize(
    ("task", "kinds"),
    [
        ("transfer", {"content", "style", "tv", "pixel_statistics"}),
        ("content", {"content", "tv"}),
        ("texture", {"style", "tv", "pixel_statistics"}),
    ],
)
def test_losses_whose_picture_the_task_lacks_are_left_out(task: str, kinds: set[str]) -> None:
    terms = terms_from_config(nst.compose(f"task={task}"))
    assert {term.kind for term in terms.terms} == kinds


def test_kinds_add_up_and_the_usual_ones_are_always_there() -> None:
    names = ("content/a", "style/b", "style/c", "tv", "pixel_statistics")
    terms = [Term(name, TotalVariation(), "input") for name in names]
    assert sum_by_kind(terms, [1.0, 2.0, 3.0, 0.5, 0.25]) == {
        "total": 6.75,
        "content": 1.0,
        "style": 5.0,
        "tv": 0.5,
        "pixel_statistics": 0.25,
    }
    assert sum_by_kind(terms[:1], [2.0]) == {"total": 2.0, "content": 2.0, "style": 0.0, "tv": 0.0}
