"""Names of the bundled pictures, known without loading torch or an image."""

from __future__ import annotations

from pathlib import Path

from nst.errors import InputError, did_you_mean

PHOTOS: tuple[str, ...] = ("astronaut", "chelsea", "coffee", "rocket", "hubble")
PAINTINGS: tuple[str, ...] = ("swirl", "mosaic", "ink", "dabs", "waves")
SAMPLES: tuple[str, ...] = (*PHOTOS, *PAINTINGS)


def check_source(source: str) -> None:
    """Check that a picture's name or path leads somewhere.

    Raises:
        InputError: neither a sample nor a file; for what does not look like a path (no slash, no
            dot) it lists the samples.
    """
    if source in SAMPLES or source_file(source) is not None:
        return
    if any(mark in source for mark in ("/", "\\", ".")):
        raise InputError(f"{source}: no such file")
    hint = did_you_mean(source, SAMPLES)
    raise InputError(
        f"{source}: neither an image file nor a sample{hint} (samples: {', '.join(SAMPLES)})"
    )


def source_file(source: str) -> Path | None:
    """The file that a picture's name or path means; None for a sample and where there is none."""
    return None if source in SAMPLES else existing_file(source)


def existing_file(path: str) -> Path | None:
    """The file at a path, ``~`` expanded; None where no file is or can be."""
    try:
        file = Path(path).expanduser()
        return file if file.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, the home of nobody
        return None
