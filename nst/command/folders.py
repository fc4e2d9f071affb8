"""A folder for each run and each sweep: no two that start in the same second share one."""

from __future__ import annotations

import atexit
import contextlib
import itertools
from itertools import count
from pathlib import Path

_claimed: dict[str, str] = {}


def own_folder(path: str) -> str:
    """A folder that is this program's own: ``path``, or with ``_2`` and so on where that is taken.

    It is made at once, so that no other program can take it; where it stays empty, as after a
    command that is refused, it is removed again. The same path gives the same folder every time.
    """
    if path not in _claimed:
        _claimed[path] = _claim(Path(path))
        atexit.register(_remove_if_empty, Path(_claimed[path]))
    return _claimed[path]


def _claim(path: Path) -> str:
    candidates = itertools.chain([path], (path.with_name(f"{path.name}_{n}") for n in count(2)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for candidate in candidates:
            with contextlib.suppress(FileExistsError):
                candidate.mkdir()
                return str(candidate)
    except OSError:
        pass  # a place that cannot be written to: whoever writes there will say so
    return str(path)


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing, and what was made around it."""
    with contextlib.suppress(OSError):
        for each in (folder, *list(folder.parents)[:3]):
            each.rmdir()
