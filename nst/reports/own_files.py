"""Which files of a folder a report may replace: those that an earlier report wrote.

======================  ==================================================================
``report.html``         carries a line that names its generator, :data:`GENERATOR`
``report/``             has a mark, ``.nst-report``, that lists the files written there
``.report.part/``       what is being written; a report that was cut short may leave it
======================  ==================================================================

Whatever else has these names is somebody's work, and is refused rather than replaced. No link is
followed out of the folder.
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from nst import durable
from nst.errors import InputError
from nst.runs.recording.mark import WRITING, Mark, digest_of

PAGE = "report.html"
BESIDE = "report"
MARK = ".nst-report"
GENERATOR = "nst"
"""What the page's ``<meta name="generator">`` says."""

_GENERATED = f'<meta name="generator" content="{GENERATOR}">'.encode()
_STAGED = ".report.part"
_OUTDATED = "<!-- outdated -->"
_MARK_HEAD = "# What a report of nst wrote here, and may replace\n"


class OwnFiles(Mark):
    """``.nst-report`` of a folder."""

    def __init__(self, folder: Path):
        super().__init__(folder, MARK, _MARK_HEAD, _is_below)

    def owns(self, name: str) -> bool:
        """Whether a file exists, is the report's own, and lies in the folder itself."""
        parents = [self.folder / parent for parent in PurePosixPath(name).parents]
        return not any(parent.is_symlink() for parent in parents) and super().owns(name)

    def foreign(self, names: Iterable[str]) -> list[str]:
        """Which of these files exist and are not the report's."""
        mark = [MARK] if self.is_foreign() else []
        exist = [name for name in names if os.path.lexists(self.folder / name)]
        return mark + [name for name in exist if not self.owns(name)]

    def write_mark(self, file: Path, changed: Mapping[str, str | None]) -> None:
        """Write what the mark will be.

        Args:
            file: where
            changed: {file of the report: its sum; None: it is no longer one}
        """
        kept = {name: sums[-1] for name, sums in self._sums.items()}
        now = {**kept, **changed}
        lines = [f"{digest}  {name}\n" for name, digest in now.items() if digest is not None]
        file.write_bytes((self._head + "".join(lines)).encode())

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


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A folder to write a whole report into, with the names that its files are to have.

    When the block succeeds they take the places of the earlier report's, of which nothing is left
    that the new one does not have. When it fails, or is interrupted, the earlier report is as it
    was: every file is on the disk before the first of them is renamed.

    Args:
        folder: of the report, below which it writes :data:`PAGE` and :data:`BESIDE`

    Raises:
        InputError: a file in the way that no report wrote, another program that is writing a
            report there, or a disk that cannot take it.
    """
    staged = folder / _STAGED
    try:
        if not _is_folder(staged):
            _discard(staged)
        with durable.in_use(staged, "report"):
            _empty(staged)  # of a report that was killed
            (staged / BESIDE).mkdir()
            try:
                yield staged
                _take_places(folder, staged)
            finally:
                _empty(staged)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise InputError(
            f"no report can be written below {folder} ({where}{error.strerror or error}); an "
            "earlier one is as it was"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            staged.rmdir()


def _empty(staged: Path) -> None:
    """Remove what a report was writing."""
    for file in staged.iterdir():
        if file.name != durable.lock_name("report"):
            _discard(file)


def _discard(file: Path) -> None:
    """Remove a file or a folder, if there is one, and nothing that a link leads to."""
    if _is_folder(file):
        shutil.rmtree(file)
    else:
        file.unlink(missing_ok=True)


def _take_places(folder: Path, staged: Path) -> None:
    """Rename the files of a new report to their names."""
    new = sorted(file.name for file in (staged / BESIDE).iterdir())
    check_report_place(folder, new)
    files = OwnFiles(folder / BESIDE)
    files.folder.mkdir(exist_ok=True)
    gone = [name for name in files.names() if name not in new and "/" not in name]
    sums = {name: digest_of(staged / BESIDE / name) for name in new}
    files.write_mark(staged / "writing", dict.fromkeys(new, WRITING))
    files.write_mark(staged / "written", {**sums, **dict.fromkeys(gone)})
    moves = [(staged / "writing", files.folder / MARK)]  # whatever ends it, all are the report's
    moves += [(staged / BESIDE / name, files.folder / name) for name in new]
    moves.append((staged / PAGE, folder / PAGE))
    last = (staged / "written", files.folder / MARK)
    for file, _ in (*moves, last):
        durable.flush(file)

    def finish() -> None:  # from wherever it was interrupted
        for file, target in moves:
            if file.exists():
                os.replace(file, target)
        files.remove(gone)
        if last[0].exists():
            os.replace(*last)

    try:
        finish()
    except KeyboardInterrupt:
        finish()
        raise
    for place in (files.folder, folder):
        durable.flush_folder(place)


def check_report_place(folder: Path, names: Iterable[str] = ()) -> None:
    """Check that a report can be written below a folder without harm to anybody's files.

    Args:
        folder: may be missing
        names: of the files in ``report/``, as far as they are known

    Raises:
        InputError: a file would be replaced that no report wrote, or that was changed since.
    """
    page, beside = folder / PAGE, folder / BESIDE
    if beside.is_symlink():
        raise InputError(
            f"{beside.absolute()} is a link, and a report writes into its own folder alone; remove "
            "the link, or choose another folder (hydra.sweep.dir, or --output of python -m "
            "experiments.report)"
        )
    if os.path.lexists(page) and not _is_own_page(page):
        raise InputError(refusal(page))
    files = OwnFiles(beside)
    if os.path.lexists(beside) and not files.is_genuine() and not _is_empty(beside):
        raise InputError(refusal(beside))
    foreign = files.foreign(names)
    if foreign:
        raise InputError(refusal(beside / foreign[0]))


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
    with contextlib.suppress(OSError):  # the disk is why it failed
        _discard(folder / f".{PAGE}.part")
        durable.write_text(page, text.replace("<main>\n", banner, 1))


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
