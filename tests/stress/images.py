"""Damaged pictures: each is read as an RGB image, or refused in one line.

Small pictures of every format and kind are damaged at random, in their bytes and, where a checksum
would catch that at once, inside: chunks of a PNG with their checksums made right, EXIF and ICC
profiles put into whole files. A process of its own reads them under limits on memory and time::

    python -m tests.stress.images --count 100000

A case is its number: ``--seed 4711 --count 1`` does one again. It needs Linux.
"""

from __future__ import annotations

import argparse
import io
import logging
import multiprocessing
import resource
import struct
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from nst.errors import InputError
from nst.pictures.reading import open_image, picture_size
from tests.pictures.odd_files import (
    DISPLAY_P3,
    PNG_HEAD,
    cmyk_profile,
    gray_profile,
    png,
    png_chunk,
    rgb_profile,
)

SECONDS = 30.0
"""Most that one picture may take: a second of work, on a machine that has other work."""
MEGABYTES = 1024
"""Most memory that pictures may take, beyond what the process has without them."""

Rng = np.random.Generator
Reader = Callable[[Path], Image.Image]


@dataclass
class Outcome:
    """What became of many damaged pictures.

    Attributes:
        images: read
        refused: {reason: how often}, numbers left out
        slowest: the processor's seconds of the slowest case
        slowest_case: its number
        peak_mb: memory beyond what the process has without pictures
        faults: what must not happen, each with the number of its case
    """

    images: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_case: int = 0
    peak_mb: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        refused = sum(self.refused.values())
        return (
            f"{self.images + refused} damaged pictures: {self.images} read, {refused} refused in "
            f"one line, {len(self.faults)} faults; slowest {self.slowest:.2f} processor seconds "
            f"(case {self.slowest_case}), peak memory {self.peak_mb} MB"
        )


def read_picture(file: Path) -> Image.Image:
    """What is tried: the size by the header, and the pixels.

    Raises:
        InputError: it is no picture that can be read.
    """
    size, image = picture_size(file), open_image(file, enough=64)
    if image.size != size and size[0] * size[1] <= 32_000_000:
        raise AssertionError(f"{image.size} pixels where the header has {size}")
    return image


def stress(
    count: int, first: int = 0, read: Reader = read_picture, seconds: float = SECONDS
) -> Outcome:
    """Read so many damaged pictures in a process of their own, from case ``first`` on.

    A case at which the process ends or hangs is a fault; another process goes on behind it.

    Args:
        count: how many
        first: number of the first case
        read: a module's function
        seconds: most that one picture may take
    """
    outcome = Outcome()
    case, end = first, first + count
    while case < end:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=_read_cases, args=(case, end, theirs, read), daemon=True)
        process.start()
        theirs.close()
        if ours.poll(60):  # it has started
            ours.recv()
            case = _follow(ours, outcome, case, seconds)
        if case < end:
            process.join(1)
            if process.is_alive():
                why = f"it takes more than {seconds:g} s"
                process.kill()
            else:
                why = f"it ends the process with status {process.exitcode}"
            outcome.faults.append(f"case {case}: {why}")
            case += 1
        process.join()
    return outcome


def _follow(connection: Connection, outcome: Outcome, case: int, limit: float) -> int:
    """Count what a process reports; returns the first case that it did not finish."""
    while connection.poll(limit):
        try:
            image, text, fault, seconds, peak = connection.recv()
        except EOFError:
            break
        if fault:
            outcome.faults.append(f"case {case}: {fault}")
        elif image:
            outcome.images += 1
        else:
            outcome.refused[text] += 1
        if seconds > outcome.slowest:
            outcome.slowest, outcome.slowest_case = seconds, case
        outcome.peak_mb = max(outcome.peak_mb, peak)
        case += 1
    return case


def _read_cases(first: int, end: int, connection: Connection, read: Reader) -> None:
    """Read cases and report each; runs in a process of its own, under a limit of memory."""
    warnings.simplefilter("error")
    logged = _Lines()
    logging.basicConfig(level=logging.INFO, handlers=[logged])
    whole_pictures()
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    before = _peak_mb()
    connection.send("started")
    with tempfile.TemporaryDirectory() as folder:
        for case in range(first, end):
            kind, content = damaged(case)
            file = Path(folder, f"a.{kind}")
            file.write_bytes(content)
            begin = time.process_time()
            image, text, fault = _read(file, read)
            fault = fault or logged.fault()
            seconds = time.process_time() - begin
            connection.send((image, text, fault, seconds, _peak_mb() - before))
    connection.close()


def _peak_mb() -> int:
    """Of this process alone; getrusage has its parent's at the start, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak) >> 10


class _Lines(logging.Handler):
    """Looks whether what is logged is one line each."""

    def __init__(self) -> None:
        super().__init__()
        self._wrong = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._wrong = self._wrong if text.isprintable() else f"a log line of another form: {text!r}"

    def fault(self) -> str:
        """What was wrong since the last call."""
        wrong, self._wrong = self._wrong, ""
        return wrong


def _read(file: Path, read: Reader) -> tuple[bool, str, str]:
    """Whether it is an image; else why not; and what is wrong with the reader."""
    try:
        image = read(file)
    except InputError as error:
        line = str(error)
        one_line = line.startswith(f"{file}: ") and line.isprintable() and len(line) < 1000
        reason = "".join(c for c in line.removeprefix(f"{file}: ") if not c.isdigit())
        return False, reason, "" if one_line else f"an error of another form: {line!r}"
    except BaseException as error:
        return False, "", f"{type(error).__name__}: {error}"
    if image.mode != "RGB" or min(image.size) < 1:
        return False, "", f"an image of mode {image.mode} and size {image.size}"
    return True, "", ""


def damaged(case: int) -> tuple[str, bytes]:
    """The format and the bytes of a case: always the same for a number."""
    rng = np.random.default_rng(case)
    kinds = sorted(whole_pictures())
    name = kinds[rng.integers(len(kinds))]
    suffix, content = name.partition(".")[0], whole_pictures()[name]
    ways: list[Callable[[Rng, bytes], bytes]] = [*[_bytes_changed] * 3, _cut, _spliced]
    if suffix == "png":
        ways += [_chunks_changed] * 5
    if suffix in ("png", "jpg", "webp", "tif", "avif"):
        ways += [lambda rng, _: _metadata_changed(rng, suffix)]
    return suffix, ways[rng.integers(len(ways))](rng, content)


def _bytes_changed(rng: Rng, content: bytes) -> bytes:
    """A few bytes changed, most of them near the beginning, where headers are."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        reach = len(data) if rng.random() < 0.5 else min(len(data), 200)
        place = int(rng.integers(reach))
        match rng.integers(5):
            case 0:
                data[place] ^= 1 << int(rng.integers(8))
            case 1:
                data[place] = int(rng.integers(256))
            case 2:
                width = int(rng.choice((2, 4)))
                number = int(rng.choice((0, 1, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1)))
                order: str = "<" if rng.random() < 0.5 else ">"
                code = {2: "H", 4: "I"}[width]
                data[place : place + width] = struct.pack(order + code, number % 256**width)
            case 3:
                del data[place : place + int(rng.integers(1, 9))]
            case _:
                data[place:place] = rng.bytes(int(rng.integers(1, 9)))
        if not data:
            return b"\0"
    return bytes(data)


def _cut(rng: Rng, content: bytes) -> bytes:
    """Cut off, and sometimes something put behind."""
    kept = content[: int(rng.integers(1, len(content)))]
    return kept + rng.bytes(int(rng.integers(1, 99))) if rng.random() < 0.3 else kept


def _spliced(rng: Rng, content: bytes) -> bytes:
    """The beginning of one picture and the end of another."""
    pictures = list(whole_pictures().values())
    other = pictures[rng.integers(len(pictures))]
    return content[: int(rng.integers(1, len(content)))] + other[int(rng.integers(len(other))) :]


def _chunks_changed(rng: Rng, content: bytes) -> bytes:
    """Chunks of a PNG changed, dropped, doubled or moved, with right checksums."""
    chunks = list(_chunks(content))
    for _ in range(rng.integers(1, 4)):
        if not chunks:
            break
        i = int(rng.integers(len(chunks)))
        kind, data = chunks[i]
        match rng.integers(5):
            case 0 | 1:
                chunks[i] = kind, _bytes_changed(rng, data or b"\0")
            case 2 if kind in (b"IDAT", b"iCCP", b"zTXt"):
                chunks[i] = kind, _inflated_changed(rng, kind, data)
            case 3:
                chunks.insert(int(rng.integers(len(chunks) + 1)), chunks.pop(i))
            case _:
                chunks[i : i + 1] = [] if rng.random() < 0.5 else [chunks[i]] * 2
    return PNG_HEAD + b"".join(png_chunk(kind, data) for kind, data in chunks)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        yield kind, content[place + 8 : place + 8 + length]
        place += length + 12


def _inflated_changed(rng: Rng, kind: bytes, data: bytes) -> bytes:
    """What is compressed in a chunk, changed; sometimes it is a great deal."""
    head = b"" if kind == b"IDAT" else data[: data.index(b"\0") + 2]
    try:
        inside = zlib.decompress(data[len(head) :])
    except zlib.error:
        return data
    changed = b"\0" * 20_000_000 if rng.random() < 0.02 else _bytes_changed(rng, inside)
    return head + zlib.compress(changed, 1)


def _metadata_changed(rng: Rng, suffix: str) -> bytes:
    """A whole picture whose EXIF or ICC profile is damaged."""
    options: dict[str, bytes] = {}
    mode = "CMYK" if suffix in ("jpg", "tif") and rng.random() < 0.3 else "RGB"
    if rng.random() < 0.7:
        profiles = (rgb_profile(DISPLAY_P3), gray_profile(1.8), cmyk_profile())
        options["icc_profile"] = _bytes_changed(rng, profiles[rng.integers(3)])
    if rng.random() < 0.5 and suffix != "tif":
        options["exif"] = _bytes_changed(rng, _exif())
    content = io.BytesIO()
    image = _photo().convert(mode)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.save(content, format=_FORMATS[suffix], **options)
    except (OSError, ValueError, SyntaxError, KeyError, struct.error, TypeError):
        image.save(content, format=_FORMATS[suffix])  # Pillow itself read the EXIF
    return content.getvalue()


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A] = 6, "a camera", 72.0
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    return exif.tobytes()


_FORMATS = {
    "png": "PNG", "jpg": "JPEG", "gif": "GIF", "webp": "WEBP", "avif": "AVIF", "tif": "TIFF",
    "bmp": "BMP", "jp2": "JPEG2000", "ppm": "PPM", "tga": "TGA", "ico": "ICO", "qoi": "QOI",
}  # fmt: skip


def _photo() -> Image.Image:
    """A colourful picture of 24×18 pixels."""
    y, x = np.mgrid[:18, :24].astype(float)
    waves = [np.sin(x / 5 + y / 9), np.sin(x / 11 - y / 4), np.cos(x * y / 70)]
    return Image.fromarray((127 + 100 * np.stack(waves, -1)).astype(np.uint8))


@lru_cache(maxsize=1)
def whole_pictures() -> dict[str, bytes]:
    """{format.kind: bytes} of undamaged pictures, of every format and kind that is read."""
    photo = _photo()
    gray = photo.convert("L")
    alpha = photo.convert("RGBA")
    alpha.putalpha(gray)
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    floats = Image.fromarray(np.asarray(gray).astype(np.float32) / 255)
    frames = {"save_all": True, "append_images": [photo.rotate(90)]}
    tagged = {"exif": _exif(), "icc_profile": rgb_profile(DISPLAY_P3)}
    pictures: dict[str, bytes] = {}

    def add(name: str, image: Image.Image, **options: object) -> None:
        content = io.BytesIO()
        image.save(content, format=_FORMATS[name.partition(".")[0]], **options)
        pictures[name] = content.getvalue()

    for suffix in _FORMATS:
        add(f"{suffix}.plain", photo)
    for suffix in ("png", "jpg", "webp", "avif"):
        add(f"{suffix}.tagged", photo, **tagged)
    for suffix in ("gif", "png", "webp", "avif", "tif"):
        add(f"{suffix}.frames", photo, **frames)
    for suffix in ("png", "webp", "avif", "tif", "tga", "ico"):
        add(f"{suffix}.alpha", alpha)
    for suffix in ("png", "gif", "bmp", "tif"):
        add(f"{suffix}.palette", photo.quantize(16))
    for suffix in ("png", "gif"):
        add(f"{suffix}.transparent", photo.quantize(16), transparency=0)
    for suffix in ("png", "jpg", "tif", "bmp"):
        add(f"{suffix}.gray", gray)
    add("jpg.progressive", photo, progressive=True, quality=95)
    add("jpg.cmyk", photo.convert("CMYK"), icc_profile=cmyk_profile())
    add("webp.lossless", photo, lossless=True)
    add("png.one_bit", photo.convert("1"))
    add("png.deep", deep)
    pictures["png.deep_colors"] = png(np.asarray(photo).astype(np.uint16) * 257)
    add("tif.deep", deep)
    add("tif.floats", floats)
    add("tif.cmyk", photo.convert("CMYK"), icc_profile=cmyk_profile())
    add("tif.lab", photo.convert("LAB"))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        add(f"tif.{compression}", photo, compression=compression)
    add("tif.group4", photo.convert("1"), compression="group4")
    return pictures


def main() -> None:
    """The long form; prints each reason with its count, the faults and a summary."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100_000, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    args = parser.parse_args()
    begin = time.perf_counter()
    outcome = stress(args.count, args.seed)
    for reason, times in outcome.refused.most_common(40):
        print(f"{times:7d}  {reason[:150]}")
    for fault in outcome.faults:
        print(fault)
    print(f"{outcome} in {time.perf_counter() - begin:.0f} s")
    if outcome.faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
