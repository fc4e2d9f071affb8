"""Names that the command line offers and that answer without loading torch or an image."""

from __future__ import annotations

PHOTOS: tuple[str, ...] = ("astronaut", "chelsea", "coffee", "rocket", "hubble")
PAINTINGS: tuple[str, ...] = ("swirl", "mosaic", "ink", "dabs", "waves")


def is_path(source: str) -> bool:
    """Whether a ``content=`` or ``style=`` value is meant as a path: it has a slash or a dot."""
    return any(mark in source for mark in ("/", "\\", "."))
