"""Losses by name, and what is said of names and options that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

import nst
from nst.errors import InputError
from nst.losses.features import Features
from nst.losses.gram import Gram
from nst.losses.layer_loss import Role
from nst.losses.pixel_statistics import PixelStatistics
from nst.losses.registry import losses, make_loss
from nst.losses.terms import terms_from_config
from nst.losses.total_variation import TotalVariation
from nst.losses.wasserstein2 import Wasserstein2


def test_every_role_has_its_losses() -> None:
    assert losses("content") == {"features": Features}
    assert losses("style") == {"gram": Gram, "wasserstein2": Wasserstein2}
    assert losses("pixels") == {"pixel_statistics": PixelStatistics, "tv": TotalVariation}


def test_a_name_alone_means_the_losses_own_defaults() -> None:
    assert make_loss("style", "wasserstein2", "loss.style") == Wasserstein2()
    assert make_loss("style", {"name": "gram"}, "loss.style") == Gram()


def test_options_reach_the_loss() -> None:
    settings = {"name": "gram", "normalization": "gatys", "activation_shift": 1}
    assert make_loss("style", settings, "loss.style") == Gram("gatys", activation_shift=1)


@pytest.mark.parametrize(
    ("role", "settings", "message"),
    [
        ("style", "grm", "loss.style: no style loss is called 'grm'; did you mean gram?"),
        ("style", "features", "loss.style: no style loss is called 'features'"),
        (
            "style",
            {"normalization": "mean"},
            "loss.style: name the loss, as {name: gram, normalization: mean} (there",
        ),
        ("style", {}, "loss.style: name the loss, as {name: gram} (there are gram, wasserstein2)"),
        ("style", None, "loss.style=null: expected a name or {name: …, option: …}"),
        ("style", 3, "loss.style=3: expected a name"),
        ("style", {"name": "gram", "normalisation": "mean"}, "did you mean normalization?"),
        ("style", {"name": "gram", "ridge": 1}, "loss.style.ridge: gram has no such option"),
        ("style", {"name": "gram", "activation_shift": "high"}, "activation_shift=high: expected"),
        ("style", {"name": "gram", "activation_shift": True}, "expected a number"),
        ("style", {"name": "gram", "activation_shift": None}, "expected a number"),
        ("style", {"name": "gram", "activation_shift": 2}, "activation_shift=2: expected 0 to 1"),
        ("style", {"name": "gram", "normalization": 1}, "loss.style.normalization=1: expected a"),
        ("style", {"name": "wasserstein2", "normalization": "relativ"}, "did you mean relative?"),
        ("content", {"name": "features", "normalization": "summ"}, "did you mean sum?"),
        ("pixels", {"name": "tv", "bta": 2}, "loss.pixels.bta: tv has no such option"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(
    role: Role, settings: Any, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        make_loss(role, settings, f"loss.{role}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loss.style=wasserstein", "loss.style: no style loss is called 'wasserstein'; did you"),
        ("loss.style.name=wasserstein2", "loss.style.shifted_gram_share: wasserstein2 has no such"),
        ("loss.style.activation_shif=0.5", "did you mean activation_shift?"),
        ("loss.style.activation_shift=much", "loss.style.activation_shift=much: expected a number"),
        ("loss.style.activation_shift=1.5", "loss.style.activation_shift=1.5: expected 0 to 1"),
        ("loss.content.normalization=relativ", "did you mean relative?"),
        ("loss.pixels.tv.beta=9", "loss.pixels.tv.beta=9: expected 1 to 4"),
        ("loss.pixels.tv.weight=1", "the weight of total variation is loss.tv_weight"),
        ("loss.pixels.pixels_statistic.weight=1", "did you mean pixel_statistics?"),
        ("loss.pixels.tv=1", "loss.pixels.tv=1: expected {weight: …}"),
        ("loss.pixels.pixel_statistics.weight=-1", "pixel_statistics.weight=-1: expected a finite"),
        ("loss.pixels.pixel_statistics.weight=big", "pixel_statistics.weight=big: expected a"),
    ],
)
def test_what_the_command_line_says_wrongly_is_named_with_its_key(
    override: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        terms_from_config(nst.compose("task=texture", override))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
