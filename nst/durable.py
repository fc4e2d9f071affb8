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

from filelock import FileLock, Timeout

from nst.errors import InputError


class InUseError(InputError):
    """Another program is at work in a folder."""


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
        partial.unlink(missing_ok=True)  # what is left of an earlier one, or a link to elsewhere
        try:
            yield partial
            replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write a file in UTF-8, whole or not at all."""
    with replacing(target) as partial:
        partial.write_bytes(text.encode())


def lock_name(whose: str) -> str:
    """The file that :func:`in_use` holds."""
    return f".nst-{whose}-lock"


@contextmanager
def in_use(folder: Path, whose: str) -> Iterator[None]:
    """Within the block, no other program takes the folder; where locks do not work, it may.

    The system releases the lock of a program that was killed.

    Args:
        folder: is made where it is missing
        whose: what takes it, for the message: ``run`` or ``sweep``

    Raises:
        InUseError: another one is at work in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / lock_name(whose)
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InUseError(
            f"another {whose} is at work in {folder}; wait for its end, or choose another folder"
        ) from None
    except (NotImplementedError, OSError):  # as on some network file systems
        yield
        return
    try:
        yield
    finally:
        file.unlink(missing_ok=True)  # while it is still held
        lock.release()
