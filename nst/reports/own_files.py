"""Which files of a folder a report may replace: those that an earlier report wrote.

======================  ==================================================================
``report.html``         carries a line that names its generator, :data:`GENERATOR`
``report/``             has a mark, ``.nst-report``, that lists the files written there
======================  ==================================================================

Whatever else has these names is somebody's work, and is refused rather than replaced.
"""

from __future__ import annotations

import contextlib
import html
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from nst.errors import InputError
from nst.runs.recording.mark import WRITING, Mark, digest_of

PAGE = "report.html"
BESIDE = "report"
MARK = ".nst-report"
GENERATOR = "nst"
"""What the page's ``<meta name="generator">`` says."""

_GENERATED = f'<meta name="generator" content="{GENERATOR}">'.encode()
_OUTDATED = "<!-- outdated -->"
_MARK_HEAD = "# What a report of nst wrote here, and may replace\n"


class OwnFiles(Mark):
    """``.nst-report`` of a folder, and how a report writes into it."""

    def __init__(self, folder: Path):
        super().__init__(folder, MARK, _MARK_HEAD, _is_below)

    def foreign(self, names: Iterable[str]) -> list[str]:
        """Which of these files exist and are not the report's."""
        mark = [MARK] if self.is_foreign() else []
        exist = [name for name in names if os.path.lexists(self.folder / name)]
        return mark + [name for name in exist if not self.owns(name)]

    @contextmanager
    def replacing(self, name: str) -> Iterator[Path]:
        """A path to write to; what it holds is renamed to ``name`` when the block succeeds.

        Raises:
            InputError: a file of that name is not the report's.
        """
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".part-{target.name}")  # its ending says what to write
        try:
            yield partial
            if self.foreign([name]):
                raise InputError(refusal(target))
            self.add(name, digest_of(partial))
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    def files_below(self, name: str) -> set[str]:
        """Every file below one of the folder's folders, named as in the mark."""
        files = (file for file in (self.folder / name).rglob("*") if not _is_folder(file))
        return {file.relative_to(self.folder).as_posix() for file in files}

    def claim(self, names: Iterable[str]) -> None:
        """Enter files that something else writes for the report, and may still be writing."""
        for name in sorted(names):
            self.add(name, WRITING)

    def remove(self, names: Iterable[str]) -> None:
        """Remove those of these files that are the report's, and empty folders around them."""
        owned = [name for name in names if self.owns(name)]
        for name in owned:
            (self.folder / name).unlink()
        for parent in {parent for name in owned for parent in PurePosixPath(name).parents[:-1]}:
            _remove_empty(self.folder / parent)


def check_report_place(folder: Path, names: Iterable[str] = ()) -> None:
    """Check that a report can be written below a folder without harm to anybody's files.

    Args:
        folder: may be missing
        names: of the files in ``report/``, as far as they are known

    Raises:
        InputError: a file would be replaced that no report wrote, or that was changed since.
    """
    page, beside = folder / PAGE, folder / BESIDE
    if os.path.lexists(page) and not _is_own_page(page):
        raise InputError(refusal(page))
    files = OwnFiles(beside)
    if os.path.lexists(beside) and not files.is_genuine() and not _is_empty(beside):
        raise InputError(refusal(beside))
    foreign = files.foreign(names)
    if foreign:
        raise InputError(refusal(beside / foreign[0]))


def write_page(folder: Path, text: str) -> Path:
    """Put a page in the place of the folder's earlier one, in one go."""
    page = folder / PAGE
    unfinished = folder / f".{PAGE}.part"
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, page)
    return page


def mark_outdated(folder: Path, reason: str) -> None:
    """Let the page of an earlier report say that a later one failed; nothing where there is none.

    Args:
        folder: of the report
        reason: why it failed
    """
    page = folder / PAGE
    if not _is_own_page(page):
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    said = (
        f'<div class="warn"><strong>This page is of an earlier report.</strong> On {now} it was to '
        f"be written again, which failed: {html.escape(reason)}</div>"
    )
    text = re.sub(rf"{_OUTDATED}.*?{_OUTDATED}\n", "", page.read_text(encoding="utf-8"), flags=re.S)
    banner = f"<main>\n{_OUTDATED}{said}{_OUTDATED}\n"
    write_page(folder, text.replace("<main>\n", banner, 1))


def refusal(file: Path) -> str:
    """What to say of a file that is in the way."""
    return (
        f"{file.absolute()} was not written by a report, or was changed since, and a report would "
        "replace it; move it elsewhere, or choose another folder (hydra.sweep.dir, or --output of "
        "python -m experiments.report)"
    )


def _is_own_page(page: Path) -> bool:
    if not page.is_file():
        return False
    with page.open("rb") as file:
        return _GENERATED in file.read(1024)


def _remove_empty(folder: Path) -> None:
    """Remove a folder where it holds no file; else those below it that hold none."""
    if _is_folder(folder):
        for inside in folder.iterdir():
            _remove_empty(inside)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _is_folder(file: Path) -> bool:
    return file.is_dir() and not file.is_symlink()
