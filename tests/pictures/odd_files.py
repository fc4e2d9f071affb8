"""Pieces of pictures' files that no library writes on request."""

from __future__ import annotations

import struct
import zlib

import numpy as np

PNG_HEAD = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels: np.ndarray, *chunks: bytes, late: bytes = b"") -> bytes:
    """A PNG of (H, W, 3) with 8 or 16 bits a channel.

    Args:
        pixels: uint8 or uint16
        chunks: before the pixels
        late: chunks behind the pixels
    """
    height, width, _ = pixels.shape
    bits = 8 * pixels.dtype.itemsize
    head = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    big_endian = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = b"".join(b"\0" + row.tobytes() for row in big_endian)
    parts = (png_chunk(b"IHDR", head), *chunks, png_chunk(b"IDAT", zlib.compress(rows)), late)
    return PNG_HEAD + b"".join(parts) + png_chunk(b"IEND", b"")


def rgb_profile(primaries: np.ndarray, gamma: float = 2.2, name: bytes = b"P3") -> bytes:
    """An ICC profile of three primaries and a gamma.

    Args:
        primaries: red, green and blue as rows of XYZ, adapted to D50
        gamma: of all three
        name: its description
    """
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {
        kind: _xyz(color)
        for kind, color in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags, name)


def gray_profile(gamma: float) -> bytes:
    """An ICC profile of grey."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve}, b"grey")


def cmyk_profile() -> bytes:
    """An ICC profile of a press whose cyan is green: a table with two entries along each ink."""
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + bytes(range(256)) * 4
    for cyan, magenta, yellow, black in np.ndindex(2, 2, 2, 2):
        lightness = max(0, 255 - 60 * (cyan + magenta + yellow) - 255 * black)
        a = 128 + 60 * (magenta - cyan) * (1 - black)
        b = 128 + 60 * yellow * (1 - black)
        table += bytes((lightness, a, b))
    table += bytes(range(256)) * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table}, b"press")


def _xyz(color: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(v) * 65536) for v in color))


def _profile(
    use: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes], name: bytes
) -> bytes:
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + b"\0" * 79
    white = np.array([0.9642, 1, 0.8249])
    tags = {b"desc": description, b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(white), **tags}
    offset, index, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for kind, data in tags.items():
        index += kind + struct.pack(">II", offset + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    head = struct.pack(">II", offset + len(body), 0) + b"\x02\x40\0\0" + use + space + connection
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + _xyz(white)[8:]
    return head + b"\0" * (128 - len(head)) + index + body


DISPLAY_P3 = np.array(
    [[0.51512, 0.2412, -0.00105], [0.29198, 0.69225, 0.04189], [0.1571, 0.06657, 0.78407]]
)
"""Its primaries, adapted to D50."""
