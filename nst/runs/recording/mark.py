"""The mark of a folder: which of its files the program wrote, and so may replace."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from nst import durable

WRITING = "-"
"""In place of a sum: the file is still being written."""


class Mark:
    """A hidden file that lists what was written into a folder, as ``sha256sum`` does.

    A file is the program's own as long as it holds what the program wrote: a picture or a table
    that was edited since is somebody's work.
    """

    def __init__(self, folder: Path, name: str, head: str, accepts: Callable[[str], bool]):
        """Read the mark of a folder; empty where it has none.

        Args:
            folder: may be missing
            name: of the mark
            head: its first line, by which it is told from other files of that name
            accepts: which names of files a mark may claim
        """
        self.folder = folder
        self._file, self._head = folder / name, head
        self._sums: dict[str, list[str]] = {}  # by name, the last claim at the end
        if self.is_genuine():
            for line in self._file.read_text(encoding="utf-8", errors="replace").splitlines():
                digest, _, entry = line.partition("  ")
                if accepts(entry):
                    self._sums.setdefault(entry, []).append(digest)

    def __contains__(self, name: str) -> bool:
        return name in self._sums

    def is_genuine(self) -> bool:
        """Whether the file is a mark, and not something else of that name, or elsewhere."""
        head, is_here = self._head.encode(), self._file.is_file() and not self._file.is_symlink()
        return is_here and self._file.read_bytes()[: len(head)] == head

    def is_foreign(self) -> bool:
        """Whether something else has the name of the mark."""
        is_empty = self._file.is_file() and self._file.stat().st_size == 0  # its writer was killed
        return os.path.lexists(self._file) and not is_empty and not self.is_genuine()

    def names(self) -> list[str]:
        """The files that are still as they were written."""
        return [name for name in self._sums if self.owns(name)]

    def owns(self, name: str) -> bool:
        """Whether a file exists and is the program's own.

        It is claimed before it is put into place, so one whose replacement never came still has the
        sum of an earlier claim.
        """
        sums, file = self._sums.get(name), self.folder / name
        if not sums or not (file.is_symlink() or file.is_file()):
            return False
        return sums[-1] == WRITING or digest_of(file) in sums

    def add(self, name: str, digest: str) -> None:
        """Claim a file, before it is put into place."""
        self._sums.setdefault(name, []).append(digest)
        head = "" if self.is_genuine() else self._head
        with durable.named(self._file):
            with self._file.open("a", encoding="utf-8", newline="\n") as lines:
                lines.write(f"{head}{digest}  {name}\n")
                lines.flush()
                os.fsync(lines.fileno())

    def remove_mark(self) -> None:
        """Remove the mark itself."""
        self._file.unlink()


def digest_of(file: Path) -> str:
    """sha256 of what a file holds, of a link of where it leads."""
    if file.is_symlink():
        return hashlib.sha256(str(file.readlink()).encode()).hexdigest()
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
