"""Files that are whole or not there, whatever ends the program or the machine in between.

What is written beside a file is flushed to the disk, takes the file's name in one step, and then
the folder is flushed, which holds the name.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def flush(file: Path) -> None:
    """Have the disk hold what a file holds."""
    with file.open("r+b") as opened:
        os.fsync(opened.fileno())


def flush_folder(folder: Path) -> None:
    """Have the disk hold the names in a folder; a system that cannot is left alone."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace(partial: Path, target: Path) -> None:
    """Give a finished file its name, in place of an earlier file of that name."""
    flush(partial)
    os.replace(partial, target)
    flush_folder(target.parent)


@contextmanager
def named(target: Path) -> Iterator[None]:
    """An error of the system within the block names the file: that of a full disk does not."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise type(error)(error.errno, os.strerror(error.errno), str(target)) from error


@contextmanager
def replacing(target: Path, partial: Path | None = None) -> Iterator[Path]:
    """A path to write to; what it holds takes the target's place when the block succeeds.

    Args:
        target: the file; its folder is made where it is missing
        partial: where to write; by default ``.NAME.part`` beside the target

    Raises:
        OSError: with the target's name; an earlier file stays as it is then.
    """
    partial = partial or target.with_name(f".{target.name}.part")
    with named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write a file in UTF-8, whole or not at all."""
    with replacing(target) as partial:
        partial.write_bytes(text.encode())
