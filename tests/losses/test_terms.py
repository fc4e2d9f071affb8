"""From a config to terms and their weights."""

from __future__ import annotations

import pytest

import nst
from nst.errors import InputError
from nst.losses.features import Features
from nst.losses.gram import Gram
from nst.losses.pixel_statistics import PixelStatistics
from nst.losses.terms import (
    Term,
    WeightedTerms,
    sum_by_kind,
    terms_from_config,
    weighted_terms,
    what_is_left_out,
)
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
    assert terms.layer_weights == (0.5, 0.25, 0.75, 1.0)
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


def example(content_weight: float, style_weight: float, tv_weight: float) -> WeightedTerms:
    """A content layer, two style layers that count differently, and total variation."""
    return weighted_terms(
        {"conv_4": 0.5},
        {"relu_1": 0.25, "relu_3": 0.75},
        [(TotalVariation(), tv_weight)],
        content_weight=content_weight,
        style_weight=style_weight,
    )


def test_before_its_weight_a_term_is_its_own_loss() -> None:
    spec, losses = example(3.0, 8.0, 11.0), [2.0, 4.0, 8.0, 0.5]
    weighted = spec.weighted(losses)
    assert weighted == [3.0, 8.0, 48.0, 5.5]
    assert spec.unweighted(weighted) == losses


@pytest.mark.parametrize("weights", [(3.0, 8.0, 11.0), (0.1, 1e6, 1e-3)])
def test_a_kind_before_its_weight_keeps_the_weights_of_its_layers(
    weights: tuple[float, float, float],
) -> None:
    spec, losses = example(*weights), [2.0, 4.0, 8.0, 0.5]
    sums = spec.sum_unweighted(losses)
    assert sums == {"content": 1.0, "style": 7.0, "tv": 0.5}
    weighted = sum_by_kind(spec.terms, spec.weighted(losses))
    for kind, weight in zip(("content", "style", "tv"), weights, strict=True):
        assert weighted[kind] == pytest.approx(weight * (sums[kind] or 0))


@pytest.mark.parametrize("nothing", [0.0, 1e-39])
def test_what_counts_for_nothing_is_not_known_from_its_term(nothing: float) -> None:
    """In float32 a weight of 1e-39 leaves no digits either."""
    spec = example(3.0, nothing, 0.0)
    losses = spec.unweighted([3.0, 0.0, 0.0, 0.0])
    assert losses == [2.0, None, None, None]
    assert spec.sum_unweighted(losses) == {"content": 1.0, "style": None, "tv": None}


def test_a_layer_that_counts_for_nothing_adds_nothing_to_its_kind() -> None:
    spec = weighted_terms(style_layers={"relu_1": 0.0, "relu_3": 0.5}, style_weight=4.0)
    assert spec.unweighted([0.0, 6.0]) == [None, 3.0]
    assert spec.sum_unweighted([None, 3.0])["style"] == 1.5
    assert spec.sum_unweighted([7.0, 3.0])["style"] == 1.5
    silent = weighted_terms(style_layers={"relu_1": 0.0}, style_weight=4.0)
    assert silent.sum_unweighted([None])["style"] == 0.0


def test_kinds_without_terms_have_no_unweighted_loss() -> None:
    assert weighted_terms().sum_unweighted([]) == {"content": None, "style": None, "tv": None}


# --- weights of 0 -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "zeros", "named"),
    [
        (
            "transfer",
            ("content_weight", "style_weight", "tv_weight"),
            "loss.content_weight=0, loss.style_weight=0, loss.tv_weight=0, "
            "loss.pixels.pixel_statistics.weight=0",
        ),
        ("content", ("content_weight", "tv_weight"), "loss.content_weight=0, loss.tv_weight=0"),
        ("texture", ("style_weight", "tv_weight"), "loss.style_weight=0, loss.tv_weight=0"),
    ],
)
def test_without_any_weight_there_is_nothing_to_minimize(
    task: str, zeros: tuple[str, ...], named: str
) -> None:
    cfg = nst.compose(f"task={task}", *(f"loss.{key}=0" for key in zeros))
    with pytest.raises(InputError, match="nothing would be minimised; give one a weight above 0"):
        terms_from_config(cfg)
    with pytest.raises(InputError, match=named):
        terms_from_config(cfg)


def test_weights_of_layers_count_too() -> None:
    cfg = nst.compose(
        *("task=texture", "style_layers=[conv_1,conv_2]"),
        *("loss.style_layer_weights=[0,0]", "loss=gatys2015"),
    )
    with pytest.raises(InputError, match="nothing would be minimised"):
        terms_from_config(cfg)


def test_without_style_what_else_changes_the_pixels_is_named() -> None:
    """The statistics of pixels follow the style's weight, unless they have their own."""
    (said,) = what_is_left_out(nst.compose("loss.style_weight=0"))
    assert said.startswith("loss.style_weight is 0: the style loss counts for nothing")
    assert "still change by loss.tv_weight=1, which 0 turns off" in said
    (said,) = what_is_left_out(nst.compose("loss.style_weight=0", "loss.tv_weight=0"))
    assert "still" not in said
    own = "loss.pixels.pixel_statistics.weight=3"
    (said,) = what_is_left_out(nst.compose("loss.style_weight=0", "loss.tv_weight=0", own))
    assert f"still change by {own}" in said


def test_without_content_a_transfer_becomes_a_texture() -> None:
    (said,) = what_is_left_out(nst.compose("loss.content_weight=0", "loss.tv_weight=0"))
    assert said.startswith("loss.content_weight is 0: the content loss counts for nothing")


@pytest.mark.parametrize("task", ["transfer", "content", "texture"])
def test_a_loss_whose_picture_the_task_lacks_is_not_missed(task: str) -> None:
    assert what_is_left_out(nst.compose(f"task={task}")) == []
