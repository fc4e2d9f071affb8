"""Pictures that cannot be used are named before any weight is loaded."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from nst.errors import InputError
from nst.pictures import reading
from nst.runs.picture_check import check_pictures
from nst.runs.transfer import Transfer
from tests.conftest import Compose


@pytest.fixture
def no_weights(tmp_path: Path) -> str:
    """An override that lets the loading of weights fail."""
    (tmp_path / "weights.pth").write_bytes(b"no weights")
    return f"backbone.weights={tmp_path}/weights.pth"


def noise(file: Path, width: int, height: int) -> Path:
    Image.effect_noise((width, height), 90).convert("RGB").save(file)
    return file


def test_a_picture_that_is_cut_off_is_named_before_the_weights(
    composed: Compose, tmp_path: Path, no_weights: str
) -> None:
    whole = noise(tmp_path / "whole.jpg", 64, 64)
    (tmp_path / "half.jpg").write_bytes(whole.read_bytes()[:1500])
    for key in ("content", "style"):
        with pytest.raises(InputError, match=rf"^{key}=.*half\.jpg: broken or cut off"):
            Transfer(composed(f"{key}={tmp_path}/half.jpg", no_weights))
    with pytest.raises(InputError, match=r"^init\.image=.*half\.jpg: broken or cut off"):
        Transfer(composed(f"init.image={tmp_path}/half.jpg", "init.kind=image", no_weights))


def test_a_picture_that_is_not_used_is_not_read(composed: Compose, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    check_pictures(composed("task=content", f"style={tmp_path}/a.jpg"))
    check_pictures(composed("task=texture", f"content={tmp_path}/a.jpg"))


def test_the_check_reads_headers_alone(composed: Compose, tmp_path: Path) -> None:
    whole = noise(tmp_path / "whole.png", 200, 200)
    (tmp_path / "half.png").write_bytes(whole.read_bytes()[:20_000])
    check_pictures(composed(f"content={tmp_path}/half.png", "style=coffee"))


THIN = [
    (
        ("task=content", "content_layer=pool_5"), (400, 20), "content",
        "400×20 pixels become 64×3 at a size of 64, too small for pool_5 of vgg16_mini, which "
        "takes 32 or more on the shorter side; use a size of 630 or more, layers up to relu_4 or "
        "a picture less thin",
    ),
    (
        ("style_layers=[conv_1,conv_8]",), (3000, 3), "style",
        "3000×3 pixels become 64×1 at a size of 64, too small for conv_8 of vgg16_mini, which "
        "takes 8 or more on the shorter side; use a size of 7500 or more, layers up to relu_2 or "
        "a picture less thin",
    ),
    (
        ("task=texture", "style_layers=[conv_8]", "style_size=32"), (100, 20), "style",
        "100×20 pixels become 32×6 at a size of 32, too small for conv_8 of vgg16_mini, which "
        "takes 8 or more on the shorter side; use a size of 38 or more, layers up to relu_7 or "
        "a picture less thin",
    ),
    (
        ("task=content", "backbone=squeezenet1_0", "content_layer=pool_8", "size=16"), (90, 90),
        "content",
        "90×90 pixels become 16×16 at a size of 16, too small for pool_8 of squeezenet1_0, which "
        "takes 21 or more on the shorter side; use a size of 21 or more or layers up to fire8",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "size", "key", "text"), THIN)
def test_a_picture_too_small_for_the_deepest_layer(
    overrides: tuple[str, ...],
    size: tuple[int, int],
    key: str,
    text: str,
    composed: Compose,
    tmp_path: Path,
    no_weights: str,
) -> None:
    file = noise(tmp_path / "a.png", *size)
    others = {"content": "style=coffee", "style": "content=coffee"}
    keys = (f"{key}={file}", others[key], no_weights, "size=64", *overrides)
    with pytest.raises(InputError) as caught:
        Transfer(composed(*keys))
    assert str(caught.value) == f"{key}={file}: its {text}"


def test_the_sizes_and_layers_that_an_error_names_work(composed: Compose, tmp_path: Path) -> None:
    file = noise(tmp_path / "a.png", 100, 20)
    common = ("task=content", f"content={file}", "optimizer.steps=0")
    assert list(Transfer(composed(*common, "content_layer=conv_8", "size=38")).run())
    assert list(Transfer(composed(*common, "content_layer=relu_4", "size=32")).run())


def test_the_smallest_pass_counts(composed: Compose, tmp_path: Path) -> None:
    file = noise(tmp_path / "a.png", 64, 28)
    texture = ("task=texture", f"style={file}", "style_layers=[conv_8]", "size=64")
    check_pictures(composed(*texture))
    with pytest.raises(InputError, match="become 16×7 at a size of 16, too small for conv_8"):
        check_pictures(composed(*texture, "coarse_scales=[0.25]", "optimizer.steps=9"))


@pytest.mark.slow
def test_each_file_is_decoded_once_in_a_run(
    composed: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: Counter[str] = Counter()
    open_image = reading.open_image

    def counted(path: Path, enough: int | None = None) -> Image.Image:
        decoded[path.name] += 1
        return open_image(path, enough)

    monkeypatch.setattr(reading, "open_image", counted)
    a, b = noise(tmp_path / "a.png", 90, 60), noise(tmp_path / "b.png", 60, 60)
    transfer = Transfer(
        composed(
            f"content={a}", f"style={b}", "init.kind=style", "style_size=48", "optimizer.steps=6",
            "coarse_scales=[0.5]", "passes=[{scale: 1.5, steps: 2}]", "size=48",
        )
    )  # fmt: skip
    assert list(transfer.run())
    assert decoded == {"a.png": 1, "b.png": 1}


def test_a_file_that_changed_is_read_again(composed: Compose, tmp_path: Path) -> None:
    keys = "task=content", f"content={tmp_path}/a.png", "optimizer.steps=0", "init=content"
    shades = []
    for value, size in ((10, (40, 20)), (200, (20, 40))):
        Image.new("RGB", size, (value,) * 3).save(tmp_path / "a.png")
        image = next(Transfer(composed(*keys)).run()).images
        shades.append((round(float(image.mean()) * 255), image.shape[2] > image.shape[3]))
    assert shades == [(10, False), (200, True)]


@pytest.mark.parametrize("color", ["black", "white"])
@pytest.mark.parametrize("size", [(1, 1), (16, 16)])
@pytest.mark.slow
def test_small_and_flat_pictures_make_a_picture(
    color: str, size: tuple[int, int], composed: Compose, tmp_path: Path
) -> None:
    Image.new("RGB", size, color).save(tmp_path / "a.png")
    for key, other in (("content", "style"), ("style", "content")):
        run = Transfer(composed(f"{key}={tmp_path}/a.png", f"{other}=coffee", "optimizer.steps=2"))
        *_, last = run.run()
        assert bool(last.images.isfinite().all())
