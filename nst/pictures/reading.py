"""A picture's file → 8-bit sRGB, upright: its size by its header alone, and its pixels.

Of several frames or pages the first is read. What else a file can say of its colours is in
:mod:`nst.pictures.colors`. A log line tells, once for each file, where white is put behind, frames
are left out, colours are converted or metadata are damaged. Nothing here loads torch.

A picture has at most :data:`MAX_PIXELS`, of which Pillow keeps 4 bytes each while it decodes.
"""

from __future__ import annotations

import codecs
import logging
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path

from PIL import Image, ImageFile, UnidentifiedImageError

from nst.config.samples import file_problem
from nst.errors import InputError
from nst.pictures.colors import to_srgb

log = logging.getLogger(__name__)
logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it has to say is said here

FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP", "DIB", "JPEG2000"),
    *("PPM", "TGA", "ICO", "QOI"),
)
"""Pillow's names of what is read. None of the others is in use for pictures, and some of them start
a program of their own."""
MAX_PIXELS = 128_000_000
"""The largest cameras have 100 million."""
MAX_PIXELS_AT_ONCE = 64_000_000
"""Of formats whose decoders hold a picture several times over."""
_AT_ONCE = ("WEBP", "AVIF", "JPEG2000")
_LARGE = 32_000_000
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_said: set[str] = set()


@lru_cache(maxsize=1)
def endings() -> frozenset[str]:
    """The endings that files of these formats have, as ``.jpg``, in small letters."""
    Image.init()
    return frozenset(e for e, kind in Image.registered_extensions().items() if kind in FORMATS)


def picture_size(path: str | Path) -> tuple[int, int]:
    """(W, H) of a picture's file, upright; only the header is read.

    Raises:
        InputError: no such file, or its header says that it cannot be read.
    """
    with _opened(Path(path), tell=False) as image:
        width, height = image.size
        return (height, width) if _orientation(image) >= 5 else (width, height)


def open_image(path: str | Path, enough: int | None = None) -> Image.Image:
    """The picture of a file as 8-bit sRGB, upright, over white.

    Args:
        path: of a format of :data:`FORMATS`
        enough: a longest side in pixels that will do; a picture of more than 32 million pixels is
            then reduced by a whole factor, so that twice as many are left

    Raises:
        InputError: no such file, or no picture that can be read.
    """
    path = Path(path)
    with _opened(path, tell=True) as image:
        width, factor = image.width, reduction(image.size, enough)
        if factor > 1 and image.format in ("JPEG", "MPO"):  # reduced by the decoder itself
            image.draft(image.mode, (image.width // factor, image.height // factor))
        with _quiet(image):
            image.load()
        factor = max(1, factor * image.width // width)  # what is left of it
        orientation = _orientation(image)
        rgb = to_srgb(image, factor, partial(_say, path))
        if _has_several_frames(image):
            _say(path, "it has several frames or pages; the first is read")
    return rgb.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else rgb


def reduction(size: tuple[int, int], enough: int | None) -> int:
    """By how much a picture is reduced as it is read: 1 unless it is large.

    >>> reduction((4000, 6000), 512), reduction((8000, 12000), 512)
    (1, 11)
    """
    if enough is None or size[0] * size[1] <= _LARGE:
        return 1
    return max(1, max(size) // (2 * enough))


def _say(path: Path, text: str, level: int = logging.INFO) -> None:
    """Log a line on a file, once in a process."""
    line = f"{_name(path)}: {_one_line(text)}"
    if line not in _said:
        _said.add(line)
        log.log(level, "%s", line)


@contextmanager
def _opened(path: Path, *, tell: bool) -> Iterator[ImageFile.ImageFile]:
    """A picture whose header is read. What Pillow raises in the block is an error of the file.

    Its warnings, of damaged metadata, are logged in one line where ``tell`` says so.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            if problem := file_problem(path):
                raise InputError(problem)
            with Image.open(path, formats=_formats()) as image:
                _require_size(image)
                yield image
        except InputError as error:
            raise InputError(f"{_name(path)}: {error}") from None
        except Exception as error:  # decoders raise what they happen to meet
            raise InputError(f"{_name(path)}: {_reason(path, error)}") from error
    texts = dict.fromkeys(_one_line(str(warning.message)) for warning in caught)
    if texts and tell:
        _say(path, f"it is damaged, and read all the same: {'; '.join(texts)}", logging.WARNING)


@contextmanager
def _quiet(image: ImageFile.ImageFile) -> Iterator[None]:
    """libtiff prints what it finds wrong, beside the error that Pillow makes of it: not here."""
    if image.format != "TIFF":
        yield
        return
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


@lru_cache(maxsize=1)
def _formats() -> list[str]:
    """Those of :data:`FORMATS` that this Pillow knows."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _require_size(image: Image.Image) -> None:
    limit = MAX_PIXELS_AT_ONCE if image.format in _AT_ONCE else MAX_PIXELS
    pixels = image.width * image.height
    if pixels > limit:
        raise InputError(_too_large(f"{image.width}×{image.height} pixels", limit))
    if pixels < 1:
        raise InputError("no pixels; use another picture")


def _too_large(size: str, limit: int) -> str:
    return f"{size}; at most {limit // 10**6} million are read; make it smaller"


def _reason(path: Path, error: Exception) -> str:
    """Why a file could not be read, and what to do."""
    if isinstance(error, UnidentifiedImageError):
        return _what_it_is(path)
    if isinstance(error, Image.DecompressionBombError):
        return _too_large("far too many pixels", MAX_PIXELS)
    if isinstance(error, MemoryError):
        return "it takes more memory than there is; make it smaller"
    if isinstance(error, PermissionError):
        return "no permission to read it; change its permissions"
    detail = _one_line(str(error)) or type(error).__name__
    return f"broken or cut off ({detail}); copy or download it again"


_HEADS = (
    (b"<svg", "an SVG drawing; export it as PNG"),
    (b"<!doctype html", "a web page, not an image; download the picture itself"),
    (b"<html", "a web page, not an image; download the picture itself"),
    (b"%pdf", "a PDF; export a page of it as PNG"),
    (b"ftyphei", "HEIC, which is not read; convert it to JPEG or PNG"),
    (b"ftypmif1", "HEIF, which is not read; convert it to JPEG or PNG"),
    (b"https://git-lfs", "a pointer to a file in Git LFS; fetch it by git lfs pull"),
)
"""What the first bytes of a file contain, in lower case, and what it is then."""


_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
"""How files of the usual formats begin."""


def _what_it_is(path: Path) -> str:
    """A guess at a file that is no picture."""
    with path.open("rb") as file:
        head = file.read(1024)
    for start, what in _HEADS:
        if start in head.lower():
            return what
    if head.startswith(_MAGIC) or head[4:12] == b"ftypavif":
        return "broken, cut off or of a kind that is not read; copy or download it again"
    return (
        f"{'text' if _is_text(head) else 'a file'}, not an image; use JPEG, PNG, WebP, AVIF or TIFF"
    )


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # its end may be cut
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c.isspace() for c in text)


def _name(path: Path) -> str:
    return _one_line(str(path))


def _one_line(text: str, longest: int = 500) -> str:
    """Text that can be printed anywhere: one line, no control characters, of a sensible length."""
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.strip())
    return printable if len(printable) <= longest else printable[: longest - 1] + "…"


def _orientation(image: ImageFile.ImageFile) -> int:
    """EXIF's orientation, 1 to 8; 1 where it says nothing. TIFFs are turned by Pillow itself."""
    if image.format == "TIFF":
        return 1
    if image.format == "PNG" and "exif" not in image.info:
        late = _late_exif(Path(str(image.filename)))
        image.info.update({"exif": late} if late else {})
    try:
        value = Image.Image.getexif(image).get(_ORIENTATION, 1)  # PNG's own would decode
    except Exception as error:
        warnings.warn(f"EXIF that cannot be read ({error})", stacklevel=2)
        return 1
    return value if isinstance(value, int) and value in _UPRIGHT else 1


def _has_several_frames(image: ImageFile.ImageFile) -> bool:
    """Whether it is an animation or has pages; a phone's photograph beside its parts has not."""
    try:
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except Exception:  # the first one was read, so the next one is broken
        return True


def _late_exif(path: Path) -> bytes:
    """EXIF that stands behind a PNG's pixels; nothing is read but the heads of its chunks."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf" and length <= 2**20:
                return file.read(length)
            file.seek(length + 4, os.SEEK_CUR)
    return b""
