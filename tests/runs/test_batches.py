from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from nst.errors import InputError
from nst.runs.batches import batch_key, batches
from nst.runs.passes import coarse_scales
from tests.conftest import Compose


@pytest.mark.slow
@pytest.mark.parametrize(
    "own",
    [
        "seed=7",
        "init=content",
        "init.amplitude=0.3",
        "content=coffee content_size_is_the_same",
        "style=swirl",
        "style_size=64",
        "loss.style_weight=3",
        "loss.tv_weight=0",
        "loss.style_layer_weights=[1,0,2,0,1]",
        "snapshot_every=5",
        "logger.project=other",
        "style_layers=[conv1_1,relu2_1,relu3_1,relu4_1,relu5_1] alias",
    ],
)
def test_what_may_differ(composed: Compose, tmp_path: Path, own: str) -> None:
    override, _, special = own.partition(" ")
    base = ["content=rocket"] if "same" in special else []
    if "same" in special:
        Image.new("RGB", (1280, 853)).save(tmp_path / "wide.png")  # rocket has 640 × 427
        override = f"content={tmp_path / 'wide.png'}"
    if special == "alias":
        base = ["style_layers=[conv_1,relu_3,relu_5,relu_8,relu_11]"]
    assert batch_key(composed(*base, override)) == batch_key(composed(*base))


@pytest.mark.parametrize(
    "shared",
    [
        "size=48",
        "task=content",
        "content=coffee",  # another shape
        "content_layer=conv_4",
        "style_layers=conv_2",
        "backbone.pooling=max",
        "loss.style.normalization=mean",
        "loss.pixels.tv.beta=2.5",
        "optimizer=adam",
        "optimizer.steps=3",
        "passes=[{scale:2,steps:1}]",
    ],
)
def test_what_may_not(composed: Compose, shared: str) -> None:
    assert batch_key(composed(shared)) != batch_key(composed())


def test_textures_have_the_size_of_their_style(composed: Compose) -> None:
    texture = ["task=texture", "style=swirl"]
    assert batch_key(composed(*texture, "content=coffee")) == batch_key(composed(*texture))
    assert batch_key(composed(*texture, "style=coffee")) != batch_key(composed(*texture))


def test_a_picture_that_cannot_be_read_is_wrong_input(composed: Compose, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="not an image"):
        batch_key(composed(f"content={tmp_path / 'broken.png'}"))


def test_batches_are_about_equally_large() -> None:
    assert [len(b) for b in batches(["a"] * 9, [8] * 9)] == [5, 4]
    assert [len(b) for b in batches(["a"] * 8, [8] * 8)] == [8]
    assert batches(["a", "b", "a"], [1] * 3) == [[0], [2], [1]]
    assert batches([None, None], [8, 8]) == [[0], [1]]
    assert batches(["a", "b", "a", "b"], [1, 2, 1, 2]) == [[0], [2], [1, 3]]
    assert batches([], []) == []


def test_a_narrow_style_does_not_share_with_a_square_one(composed: Compose, tmp_path: Path) -> None:
    """It has room for fewer scales of patches, and the batch would take as few for all."""
    Image.new("RGB", (80, 10)).save(tmp_path / "narrow.png")
    Image.new("RGB", (80, 80)).save(tmp_path / "square.png")
    shared = ("style_layers=relu_1", "style_size=80")
    keys = [batch_key(composed(f"style={tmp_path}/{n}.png", *shared)) for n in ("narrow", "square")]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(("side", "expected"), [(96, ()), (256, (0.5,)), (512, (0.25, 0.5))])
def test_scales_leave_room_for_the_style_too(
    composed: Compose, side: int, expected: tuple[float, ...]
) -> None:
    cfg = composed("task=texture", "size=512", f"style_size={side}", "optimizer.steps=100")
    assert coarse_scales(cfg) == expected
