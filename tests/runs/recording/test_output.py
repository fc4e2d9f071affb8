from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from nst.config import Config, config_hash
from nst.errors import InputError
from nst.pictures.reading import open_image
from nst.runs.context import Context
from nst.runs.job import run_job
from nst.runs.recording.output import check_output, output_file, read_origin, write_picture
from tests.conftest import Compose

FORMATS = [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.JPEG", "JPEG"), ("a.webp", "WEBP")]
ORIGIN = {"program": "nst", "version": "1.2", "overrides": ["content='größe\udce9.png'", "size=64"]}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def stripes() -> Image.Image:
    """Red and blue columns, which a JPEG with halved colours would blur."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, ::2, 0] = pixels[:, 1::2, 2] = 220
    return Image.fromarray(pixels)


@pytest.mark.parametrize(("name", "kind"), FORMATS)
def test_a_picture_says_what_made_it_and_so_does_a_copy(name: str, kind: str) -> None:
    write_picture(stripes(), Path(name), kind, ORIGIN)
    shutil.copy(name, "copy")
    assert read_origin(Path(name)) == read_origin(Path("copy")) == ORIGIN


@pytest.mark.parametrize(("name", "kind"), FORMATS)
def test_a_picture_has_the_profile_of_srgb_and_is_upright(name: str, kind: str) -> None:
    write_picture(stripes(), Path(name), kind, ORIGIN)
    with Image.open(name) as image:
        assert image.format == kind
        assert 0x0112 not in image.getexif()
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    read = np.asarray(open_image(name), float)
    assert read.shape == (32, 48, 3)
    if kind != "WEBP":  # whose colours have half the size
        assert np.abs(read - np.asarray(stripes(), float)).max() <= (0 if kind == "PNG" else 6)


def test_equal_runs_make_equal_files() -> None:
    for name in ("a.jpg", "b.jpg"):
        write_picture(stripes(), Path(name), "JPEG", ORIGIN)
    assert Path("a.jpg").read_bytes() == Path("b.jpg").read_bytes()


def test_what_exif_has_no_room_for_is_left_out() -> None:
    long = {**ORIGIN, "config": {"content": "x" * 70_000}}
    write_picture(stripes(), Path("a.jpg"), "JPEG", long)
    assert read_origin(Path("a.jpg")) == ORIGIN


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_says_nothing(content: bytes) -> None:
    Path("a.png").write_bytes(content)
    assert read_origin(Path("a.png")) is None


def test_a_picture_of_another_program_says_nothing() -> None:
    for name in ("a.png", "a.jpg", "a.webp"):
        stripes().save(name)
        assert read_origin(Path(name)) is None


# --- before the run -------------------------------------------------------------------------------


def checked(cfg: Config, **inputs: str) -> None:
    check_output(cfg, Path("run"), {key: Path(file) for key, file in inputs.items()})


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("''", "expected a file"),
        ("me.tif", "expected a file that ends in .png, .jpg, .jpeg or .webp"),
        ("me.jepg", "did you mean .jpg?"),
        ("me", "expected a file that ends in"),
        ("folder", "a folder; name a file in it, as output=folder/NAME.png"),
        ("new/", "a folder; name a file in it, as output=new/NAME.png"),
        ("text.txt/me.png", "text.txt is no folder; choose another place"),
        ("me.png", "that is the file of content=me.png; choose another name"),
        ("link.jpg", "that is the file of content=me.png; choose another name"),
        ("holiday.jpg", "there is a file that no run wrote as its output; choose another name"),
        ("run/image.png", "that is the run's own folder; its picture there is image.png"),
        (f"{'x' * 300}.png", "File name too long; choose another name"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line(
    composed: Compose, output: str, message: str
) -> None:
    Path("folder").mkdir()
    Path("text.txt").write_text("text")
    for name in ("me.png", "holiday.jpg"):
        stripes().save(name)
    Path("link.jpg").symlink_to("me.png")
    with pytest.raises(InputError) as error:
        checked(composed(f"output={output}"), content="me.png")
    assert str(error.value).startswith(f"output={output.strip(chr(39))}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_place_without_permission_is_named(
    composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(
        InputError, match=r"output=a/b.png: no permission to write into /.*; choose"
    ):
        checked(composed("output=a/b.png"))


def test_a_webp_has_its_largest_size(composed: Compose) -> None:
    checked(composed("output=a.png", "size=16384"))
    with pytest.raises(InputError, match=r"a WebP has at most 16383 pixels a side"):
        checked(composed("output=a.webp", "size=16384"))


def test_an_earlier_output_is_replaced_and_a_folder_may_be_missing(composed: Compose) -> None:
    write_picture(stripes(), Path("a.png"), "PNG", ORIGIN)
    for output in ("a.png", "new/folder/a.jpg", "~/a.png"):
        checked(composed(f"output='{output}'"))
    assert output_file(composed("output='~/a.png'")) == Path.home() / "a.png"


# --- a run ----------------------------------------------------------------------------------------


def test_a_run_writes_its_picture_where_one_wants_it(composed: Compose) -> None:
    stripes().save("me.png")
    overrides = ["content=me.png", "optimizer.steps=1", "output=prints/me.png"]
    cfg = composed(*overrides)
    record = run_job(cfg, Context(Path("run"), overrides=overrides))
    with Image.open("prints/me.png") as picture, Image.open("run/image.png") as image:
        assert np.array_equal(np.asarray(picture), np.asarray(image))
    origin: dict[str, Any] = read_origin(Path("prints/me.png")) or {}
    assert origin["overrides"] == overrides
    assert origin["config_hash"] == config_hash(cfg)
    assert origin["images"] == record["images"]
    assert origin["version"] == record["versions"]["nst"]
    assert (origin["status"], origin["where"]) == ("completed", "..")
    assert "output" not in origin["config"]
    assert [file.name for file in Path("prints").iterdir()] == ["me.png"]


def test_a_complete_run_is_copied_where_one_wants_it(composed: Compose) -> None:
    run_job(composed("optimizer.steps=1"), Context(Path("run")))
    run_job(composed("optimizer.steps=1", "resume=true", "output=a.webp"), Context(Path("run")))
    with Image.open("a.webp") as picture:
        assert picture.size == (32, 32)
    assert read_origin(Path("a.webp")) is not None


def test_a_run_that_may_not_write_there_does_not_begin(composed: Compose) -> None:
    stripes().save("holiday.png")
    with pytest.raises(InputError, match="that no run wrote"):
        run_job(composed("output=holiday.png"), Context(Path("run")))
    assert not Path("run/image.png").exists()
