"""``output=FILE``: the picture where a person wants it, with what made it within.

The ending decides the format: PNG, JPEG or WebP, each with the profile of sRGB and upright. The
origin of the picture is a text in JSON: in a PNG the chunk ``iTXt`` under the keyword ``nst``, in
the others the EXIF tag ``UserComment``; so it stays with every copy of the file. Whoever gives
``repeat=FILE`` has it read. Nothing here loads torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin

from nst import durable
from nst.config import Config
from nst.config.samples import expanded_path
from nst.config.values import RECORDING_KEYS
from nst.errors import InputError, did_you_mean

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Endings, and Pillow's names of what is written."""
KEYWORD = "nst"
_QUALITY = 95  # of JPEG and WebP, of 100
_LARGEST_WEBP = 16383
_EXIF, _USER_COMMENT, _SOFTWARE = 0x8769, 0x9286, 0x0131
_ASCII = b"ASCII\0\0\0"
_MOST_EXIF = 60_000  # bytes; a JPEG has room for 65533


def output_file(cfg: Config) -> Path | None:
    """Where ``output`` leads, ``~`` expanded; None where it is not given."""
    return None if cfg.output is None else expanded_path(cfg.output)


def check_output(cfg: Config, folder: Path, inputs: Mapping[str, Path]) -> None:
    """Check, before anything is begun, that the picture can be written as ``output`` says.

    Args:
        cfg: of the run
        folder: of the run
        inputs: {key: existing file} that the run reads

    Raises:
        InputError: another ending, a folder, a place that cannot be written to, or somebody's file.
    """
    file = output_file(cfg)
    if file is None:
        return
    try:
        problem = _name_problem(str(cfg.output), file, cfg) or _place_problem(file, folder, inputs)
    except (OSError, ValueError) as error:  # a name too long, a NUL
        problem = f"{getattr(error, 'strerror', None) or error}; choose another name"
    if problem:
        raise InputError(f"output={cfg.output}: {problem}")


def _name_problem(text: str, file: Path, cfg: Config) -> str:
    """What is wrong with the file's name, and what would be right."""
    example = f"as output={file / 'NAME.png'}"
    if not text:
        return "expected a file, as output=picture.png"
    if text.endswith(("/", os.sep)) or file.is_dir():
        return f"a folder; name a file in it, {example}"
    ending = file.suffix.lower()
    if ending not in FORMATS:
        hint = did_you_mean(ending, FORMATS) if ending else ""
        return f"expected a file that ends in .png, .jpg, .jpeg or .webp{hint}"
    largest = round(cfg.size * max([1.0, *(p.scale for p in cfg.passes)]))
    if ending == ".webp" and largest > _LARGEST_WEBP:
        return f"a WebP has at most {_LARGEST_WEBP} pixels a side; a .png or .jpg has more"
    return ""


def _place_problem(file: Path, folder: Path, inputs: Mapping[str, Path]) -> str:
    """What is wrong with the file's place, and what would be right."""
    above = next(each for each in file.absolute().parents if os.path.lexists(each))
    if not above.is_dir():
        return f"{above} is no folder; choose another place"
    if not os.access(above, os.W_OK | os.X_OK):
        return f"no permission to write into {above}; choose another place"
    if not os.path.lexists(file):
        inside = file.absolute().parent.resolve() == folder.absolute().resolve()
        return "that is the run's own folder; its picture there is image.png" if inside else ""
    for key, path in inputs.items():
        if file.exists() and file.samefile(path):
            return f"that is the file of {key}={path}; choose another name"
    if not file.is_file() or read_origin(file) is None:
        return "there is a file that no run wrote as its output; choose another name, or move it"
    return ""


def save_output(cfg: Config, image: Image.Image, record: Mapping[str, Any]) -> Path | None:
    """Write a run's picture as ``output`` says; None where it says nothing.

    Args:
        cfg: of the run
        image: 8-bit sRGB
        record: of the run: ``status``, ``overrides``, ``config_hash``, ``config``, ``images`` and
            ``versions`` of it

    Returns:
        The file, which is whole: an earlier picture is replaced in one step.

    Raises:
        OSError: the disk is full, or the place is gone.
    """
    file = output_file(cfg)
    if file is None:
        return None
    partial = file.with_name(f".nst-output-{os.getpid()}.part")
    with durable.replacing(file, partial) as writing:
        write_picture(image, writing, FORMATS[file.suffix.lower()], origin(record, file))
    return file


def origin(record: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """What a picture says of its origin.

    Returns:
        ``overrides`` as written, ``config`` and ``config_hash`` (less what does not decide the
        picture), ``images`` with their sha256, the ``version`` of nst, the run's ``status``, and
        ``where`` it ran, as seen from the picture's folder: relative paths begin there.
    """
    config = {k: v for k, v in record.get("config", {}).items() if k not in RECORDING_KEYS}
    try:
        where = os.path.relpath(Path.cwd(), file.absolute().parent)
    except ValueError:  # on another drive
        where = str(Path.cwd())
    return {
        "program": "nst",
        "version": record.get("versions", {}).get("nst", ""),
        "status": record.get("status", "completed"),
        "where": where,
        "overrides": list(record.get("overrides", ())),
        "config_hash": record.get("config_hash"),
        "images": record.get("images", {}),
        "config": config,
    }


def write_picture(image: Image.Image, file: Path, kind: str, origin: Mapping[str, Any]) -> None:
    """Write a picture with sRGB's profile and its origin.

    Args:
        image: 8-bit sRGB
        file: to write
        kind: one of the values of :data:`FORMATS`
        origin: see :func:`origin`
    """
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("Software", _software(origin))
        info.add_itxt(KEYWORD, json.dumps(origin))
        image.save(file, kind, pnginfo=info, icc_profile=_srgb())
        return
    exif = Image.Exif()
    exif[_SOFTWARE] = _software(origin)
    exif.get_ifd(_EXIF)[_USER_COMMENT] = _ASCII + _short_enough(origin)
    # the colours of a JPEG in full, too; WebP has them at half the size
    options = {"subsampling": "4:4:4"} if kind == "JPEG" else {"method": 6}
    image.save(file, kind, quality=_QUALITY, exif=exif, icc_profile=_srgb(), **options)


def _software(origin: Mapping[str, Any]) -> str:
    return f"nst {origin['version']}"


def _short_enough(origin: Mapping[str, Any]) -> bytes:
    """The origin in ASCII, without its longest parts where EXIF has no room for them."""
    for left_out in ((), ("config",), ("config", "images", "overrides")):
        text = json.dumps({k: v for k, v in origin.items() if k not in left_out}).encode()
        if len(text) <= _MOST_EXIF:
            break
    return text


@cache
def _srgb() -> bytes:
    """The profile of sRGB, without the time at which it was made: equal runs make equal files."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes([0x07, 0xD0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])  # 2000-01-01
    return bytes(profile)


def read_origin(file: Path) -> dict[str, Any] | None:
    """What a picture's file says of its origin; None where it is no picture, or says nothing."""
    try:
        with Image.open(file, formats=sorted(set(FORMATS.values()))) as image:
            text = _text_of(image)
        values = json.loads(text)
    except Exception:  # Pillow raises many kinds for a file that is damaged
        return None
    is_origin = isinstance(values, dict) and values.get("program") == "nst"
    return values if is_origin else None


def _text_of(image: Image.Image) -> str | bytes:
    if isinstance(image, PngImagePlugin.PngImageFile):
        return str(image.text[KEYWORD])
    comment = image.getexif().get_ifd(_EXIF)[_USER_COMMENT]
    return bytes(comment.encode() if isinstance(comment, str) else comment).removeprefix(_ASCII)
