"""How much content and style a picture has, in the eyes of a network that did not make it."""

from __future__ import annotations

import pytest
from torch import Tensor

from nst.judges import Judge
from nst.pictures.files import to_uint8
from nst.pictures.samples import load_image
from nst.pictures.starts import noise
from nst.runs.messages import judged as module
from nst.runs.messages.judged import judged
from tests.conftest import Compose


@pytest.fixture
def pictures() -> dict[str, Tensor]:
    return {"content": load_image("chelsea", 96), "style": load_image("swirl", 96)}


def test_the_photograph_itself_keeps_all_and_has_no_style(
    composed: Compose, pictures: dict[str, Tensor]
) -> None:
    said = judged(composed(), pictures["content"], pictures, None)
    assert said == {"by": "vgg19_mini", "content_kept": 1.0, "style_taken": 0.0}


def test_the_style_itself_has_taken_on_all_and_keeps_nothing(
    composed: Compose, pictures: dict[str, Tensor]
) -> None:
    style = load_image("swirl", 96)[..., :64, :]
    pictures["content"] = pictures["content"][..., :64, :]
    said = judged(composed(), style, {**pictures, "style": style}, None)
    assert said["style_taken"] == 1.0
    assert said["content_kept"] < 0.2


def test_the_judge_is_of_another_family_than_the_network_that_steered(
    composed: Compose, pictures: dict[str, Tensor]
) -> None:
    cfg = composed("backbone=vgg19", "backbone.weights=random")
    assert judged(cfg, pictures["content"], pictures, None)["by"] == "vgg16_mini"


def test_a_texture_is_measured_from_its_start(
    composed: Compose, pictures: dict[str, Tensor]
) -> None:
    start = noise([0], (96, 96), mean=0.5, amplitude=0.2, distribution="normal")
    cfg, style = composed("task=texture"), {"style": pictures["style"]}
    assert judged(cfg, start, style, to_uint8(start)[0])["style_taken"] == 0
    half = judged(cfg, (start + pictures["style"]) / 2, style, to_uint8(start)[0])
    assert 0 < half["style_taken"] < 1
    assert half["content_kept"] is None


def test_a_reconstruction_has_no_style(composed: Compose, pictures: dict[str, Tensor]) -> None:
    content = {"content": pictures["content"]}
    said = judged(composed("task=content"), pictures["content"], content, None)
    assert (said["content_kept"], said["style_taken"]) == (1.0, None)


def test_a_texture_that_begins_as_its_style_has_no_way_to_go(
    composed: Compose, pictures: dict[str, Tensor]
) -> None:
    style = {"style": pictures["style"]}
    start = to_uint8(pictures["style"])[0]
    cfg = composed("task=texture", "init=style")
    assert judged(cfg, pictures["style"], style, start)["style_taken"] is None


def test_a_large_picture_is_judged_at_256_pixels(
    composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    whole = Judge.content_kept

    def spied(self: Judge, image: Tensor, content: Tensor) -> float:
        sizes.append(tuple(image.shape[2:]))
        return whole(self, image, content)

    monkeypatch.setattr(Judge, "content_kept", spied)
    large = {"content": load_image("chelsea", 400)}
    judged(composed("task=content"), large["content"], large, None)
    assert sizes == [(170, 256)]


def test_what_cannot_be_judged_fails_no_run(
    composed: Compose,
    pictures: dict[str, Tensor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(module, "held_out_judge", broken)
    said = judged(composed(), pictures["content"], pictures, None)
    assert set(said.values()) == {None}
    assert caplog.messages == [
        "how much style and content it has could not be measured: out of memory"
    ]


def test_a_picture_of_few_pixels_is_not_judged(composed: Compose, picture: Tensor) -> None:
    small = {"content": picture[..., :12, :]}
    assert set(judged(composed(), small["content"], small, None).values()) == {None}
