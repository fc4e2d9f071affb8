"""Names of the bundled pictures, known without loading torch or an image."""

from __future__ import annotations

import os
from pathlib import Path

from nst.errors import InputError, did_you_mean

PHOTOS: tuple[str, ...] = ("astronaut", "chelsea", "coffee", "rocket", "hubble")
PAINTINGS: tuple[str, ...] = ("swirl", "mosaic", "ink", "dabs", "waves")
SAMPLES: tuple[str, ...] = (*PHOTOS, *PAINTINGS)

PICTURE_ENDINGS: tuple[str, ...] = tuple(
    "jpg jpeg jpe jfif png apng webp avif tif tiff gif bmp dib jp2 j2k tga ico qoi "
    "pbm pgm pnm ppm".split()
)
"""Endings that a name of a picture has."""

MAX_BYTES = 512 * 2**20
"""Of a picture's file. Some decoders take it into memory as a whole."""
NO_SUCH_FILE = "no such file"


def check_source(source: str) -> None:
    """Check that a picture's name or path leads to a sample or a file.

    Raises:
        InputError: it does not; for what does not look like a path (no slash, no dot) it lists the
            samples.
    """
    if source in SAMPLES:
        return
    problem = file_problem(expanded_path(source))
    looks_like_a_path = any(mark in source for mark in ("/", "\\", "."))
    if problem == NO_SUCH_FILE and not looks_like_a_path:
        hint = did_you_mean(source, SAMPLES)
        problem = f"neither an image file nor a sample{hint} (samples: {', '.join(SAMPLES)})"
    if problem:
        raise InputError(f"{source}: {problem}")


def source_file(source: str) -> Path | None:
    """The file that a picture's name or path means; None for a sample and where there is none."""
    return None if source in SAMPLES else existing_file(source)


def existing_file(path: str) -> Path | None:
    """The file at a path, ``~`` expanded; None where no file is or can be."""
    try:
        file = expanded_path(path)
        return file if file.is_file() else None
    except (OSError, ValueError):  # too long, a NUL
        return None


def existing_folder(path: str) -> Path | None:
    """The folder at a path, ``~`` expanded; None where no folder is or can be."""
    try:
        folder = expanded_path(path)
        return folder if folder.is_dir() else None
    except (OSError, ValueError):
        return None


def expanded_path(source: str) -> Path:
    """A path with ``~`` expanded, as far as that is somebody's home."""
    try:
        return Path(source).expanduser()
    except RuntimeError:  # a name with a tilde, of nobody's home
        return Path(source)


def file_problem(path: Path) -> str | None:
    """Why a path cannot be a picture's file, whatever is in it, and what would be right."""
    try:
        if not path.exists():
            return NO_SUCH_FILE
        if path.is_dir():
            return "a folder; name a picture in it"
        if not path.is_file():
            return "a device or a pipe; name a picture's file"
        size = path.stat().st_size
    except (OSError, ValueError) as error:  # a name too long; a folder that may not be entered
        return f"{getattr(error, 'strerror', None) or error}; name a picture's file"
    if not os.access(path, os.R_OK):
        return "no permission to read it; change its permissions"
    if size == 0:
        return "an empty file; copy or download it again"
    too_large = f"a file of more than {MAX_BYTES >> 20} MB; make it smaller"
    return too_large if size > MAX_BYTES else None
