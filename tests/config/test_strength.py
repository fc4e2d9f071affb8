"""``strength``: one number from the photograph to a texture, which chooses the weights."""

from __future__ import annotations

import pytest

import nst
from nst.config import Config, LossConfig, Task
from nst.config.layers import BACKBONES
from nst.config.remarks import remarks
from nst.config.strength import style_weight
from nst.errors import InputError
from nst.losses.terms import terms_from_config
from nst.runs.batches import batch_key
from tests.conftest import Compose


def weights(loss: LossConfig) -> tuple[float, float]:
    return loss.content_weight, loss.style_weight


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
def test_more_strength_is_more_style_for_every_network(backbone: str, composed: Compose) -> None:
    steps = [0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98]
    cfgs = [composed(f"backbone={backbone}", f"strength={strength}") for strength in steps]
    style = [cfg.loss.style_weight for cfg in cfgs]
    ratios = [cfg.loss.style_weight / cfg.loss.content_weight for cfg in cfgs]
    assert ratios == sorted(set(ratios))
    assert ratios[3:6] == pytest.approx(cfgs[0].backbone.strength_weights, rel=1e-3)
    assert style == sorted(style)
    assert max(style) <= cfgs[0].backbone.default_style_weight


def test_strength_0_is_the_photograph(composed: Compose) -> None:
    cfg = composed("strength=0")
    assert weights(cfg.loss) == (1, 0)
    assert cfg.loss.pixels["pixel_statistics"]["weight"] == cfg.loss.tv_weight == 0
    assert composed("strength=0.01").loss.tv_weight == 1


def test_strength_1_is_a_texture(composed: Compose) -> None:
    """Its weights are those of a texture but for the content's, and the content counts nothing."""
    cfg, texture = composed("strength=1"), composed("task=texture")
    assert cfg.loss.content_weight == 0
    spec, of_texture = terms_from_config(cfg), terms_from_config(texture)
    both = dict(zip(spec.names, spec.weights, strict=True))
    assert dict(zip(of_texture.names, of_texture.weights, strict=True)).items() <= both.items()


def test_the_default_is_where_both_are_plainly_there(composed: Compose) -> None:
    assert composed().loss == composed("strength=0.7").loss


def test_pixels_weigh_as_much_as_the_style(composed: Compose) -> None:
    loss = composed("strength=0.3").loss
    assert loss.pixels["pixel_statistics"]["weight"] == loss.style_weight


def test_a_weight_on_the_command_line_stands_instead(composed: Compose) -> None:
    assert weights(composed("strength=0.9", "loss.style_weight=7").loss) == (1, 7)
    assert weights(composed("strength=1", "loss.style_weight=7").loss) == (1, 7)
    assert composed("strength=1", "loss.content_weight=2").loss.content_weight == 2


def test_towards_1_it_is_the_content_that_counts_less(composed: Compose) -> None:
    """So that total variation, whose weight stays, does not vanish beside the style."""
    texture = composed().backbone.default_style_weight
    content, style = weights(composed("strength=0.97").loss)
    assert style == texture
    assert 0 < content < 0.1


@pytest.mark.parametrize("task", ["texture", "content"])
def test_textures_and_reconstructions_know_no_strength(task: str, composed: Compose) -> None:
    losses = [composed(f"task={task}", f"strength={strength}").loss for strength in (0, 0.5, 1)]
    assert losses[0] == losses[1] == losses[2]
    assert losses[0].content_weight == 1
    assert losses[0].style_weight == composed().backbone.default_style_weight


@pytest.mark.parametrize("choice", ["preset=gatys2015", "loss=relative", "loss=wasserstein2"])
def test_recipes_keep_their_weights(choice: str, composed: Compose) -> None:
    assert composed(choice, "strength=0.1").loss == composed(choice).loss


@pytest.mark.parametrize("strength", ["-0.1", "1.01", "nan", "7"])
def test_a_strength_out_of_range_is_one_line(strength: str, composed: Compose) -> None:
    with pytest.raises(InputError, match=r"^strength=.*: expected 0 to 1$"):
        composed(f"strength={strength}")


@pytest.mark.parametrize("weights", ["[1,2]", "[1,3,2]", "[0,1,2]", "[1,2,1e30]"])
def test_weights_that_do_not_rise_are_one_line(weights: str, composed: Compose) -> None:
    with pytest.raises(InputError, match=r"^backbone.strength_weights=.*: expected three rising"):
        composed(f"backbone.strength_weights={weights}")


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["loss.style_weight=9"], "here loss.style_weight is 9"),
        (["preset=gatys2015"], "here loss.style_weight is 1000"),
        (["loss=wasserstein2"], "here loss.style_weight is 10"),
        (["task=texture"], "task=texture has no content"),
        (["task=content"], "task=content has no"),
    ],
)
def test_a_strength_that_decides_nothing_is_said(
    overrides: list[str], reason: str, composed: Compose
) -> None:
    overrides = [*overrides, "strength=0.3"]
    (said,) = remarks(composed(*overrides), overrides)
    assert said.startswith("strength decides nothing here")
    assert reason in said


@pytest.mark.parametrize("strength", ["0", "0.3", "1"])
def test_one_that_decides_is_not_remarked_upon(strength: str, composed: Compose) -> None:
    overrides = [f"strength={strength}", "backbone=vgg19_mini"]
    assert remarks(composed(*overrides), overrides) == []


def test_strengths_share_a_batch(composed: Compose) -> None:
    assert len({batch_key(composed(f"strength={strength}")) for strength in (0, 0.4, 1)}) == 1


def test_python_computes_the_same() -> None:
    cfg: Config = nst.compose(strength=0.2)
    assert cfg.loss.style_weight == style_weight(Task.transfer, 0.2, cfg.backbone)
