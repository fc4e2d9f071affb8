"""One run's folder, as it is written; :mod:`nst.runs.recording.read` reads it back.

======================  ===================================================================
``image.png``           the result
``content.png``         the content image at the size that the run saw, where it has one
``style.png``           the same of the style image
``sheet.png``           content, style and result side by side
``trace.csv``           a row per step: seconds and every loss term, weighted and before its weight
``snapshots/``          the image every ``snapshot_every`` steps
``config.yaml``         the config, resolved
``checkpoint.pt``       what the run needs to go on, until it is complete
``record.json``         what was measured, and what became of the run: its ``status`` is
                        ``completed``, ``interrupted`` or ``failed``; written last
``.nst-run``            the mark of a run: which of these files are its own
``unfinished/``         the same files of a later run, until it is complete
======================  ===================================================================

Seconds, here and in the trace, are the wall time of the optimisation divided by ``batch``, the
number of runs that shared it; so the seconds of several runs add up. ``batch_seconds`` is the
whole. Memory is that of all runs of the batch.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from nst import durable
from nst.errors import InputError
from nst.pictures.files import save_png
from nst.runs.recording.checkpoint import CHECKPOINT, Checkpoint
from nst.runs.recording.mark import WRITING, Mark, digest_of
from nst.runs.recording.trace import Trace

RECORD = "record.json"
MARK = ".nst-run"
UNFINISHED = "unfinished"
_SNAPSHOTS = "snapshots"
_SNAPSHOT = re.compile(r"snapshots/step_\d+\.png")
_HALF_SNAPSHOT = re.compile(r"\.step_\d+\.png\.part$")
_PICTURES = ("image.png", "content.png", "style.png", "sheet.png")
_FILES = (RECORD, *_PICTURES, "trace.csv", "config.yaml", CHECKPOINT)
_MARK_HEAD = "# What a run of nst wrote here, and may replace\n"
_CHOOSE = "choose another folder, as in hydra.run.dir=outputs/NAME (a sweep: hydra.sweep.dir)"


class _RunMark(Mark):
    """``.nst-run`` of a folder."""

    def __init__(self, folder: Path):
        super().__init__(folder, MARK, _MARK_HEAD, _is_written_by_runs)

    def remove_files(self) -> None:
        """Remove the run's files, whole and half, and the mark; nothing else."""
        if not self.is_genuine():
            return
        snapshots = self.folder / _SNAPSHOTS
        partials = [_partial(self.folder / name) for name in _FILES]
        partials += [file for file in snapshots.glob(".step_*") if _HALF_SNAPSHOT.match(file.name)]
        for file in (*(self.folder / name for name in self.names()), *partials):
            file.unlink(missing_ok=True)
        _remove_if_empty(snapshots)
        self.remove_mark()


def read_record(folder: Path) -> dict[str, Any] | None:
    """What a run wrote into its folder's record; None where there is none that can be read."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def has_result(folder: Path) -> bool:
    """Whether a run left something that is to stay until there is better: all, or a part of it."""
    record = read_record(folder) if _RunMark(folder).owns(RECORD) else None
    return record is not None and record.get("status") != "failed"


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a run's folder, the latest run's first."""
    places = (folder / UNFINISHED, folder)
    return [place / CHECKPOINT for place in places if _RunMark(place).owns(CHECKPOINT)]


def _is_written_by_runs(name: str) -> bool:
    return name in _FILES or _SNAPSHOT.fullmatch(name) is not None


def _partial(target: Path) -> Path:
    """Where a file is while it is being written."""
    return target.with_name(f".{target.name}.part")


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _names_in_use(folder: Path) -> list[str]:
    """What a folder has under the names of a run's files, whoever wrote it."""
    names = [name for name in _FILES if os.path.lexists(folder / name)]
    snapshots = folder / _SNAPSHOTS
    if not snapshots.is_dir():
        return [*names, _SNAPSHOTS] if os.path.lexists(snapshots) else names
    files = sorted(file for file in snapshots.rglob("*") if not file.is_dir())
    whole = [file for file in files if not _HALF_SNAPSHOT.match(file.name)]
    return names + [file.relative_to(folder).as_posix() for file in whole]


def check_folder(folder: Path, inputs: Mapping[str, Path]) -> None:
    """Check that a run can write into a folder without harm to anybody's files; changes nothing.

    Args:
        folder: may be missing
        inputs: {key: existing file} that the run will read

    Raises:
        InputError: an input is one of the files that the run would replace; or a file has the name
            of one that the run writes, and no run wrote it, or it was changed since.
    """
    _check_place(folder, inputs)
    if has_result(folder):
        if (folder / UNFINISHED).exists() and not (folder / UNFINISHED).is_dir():
            raise InputError(_foreign(folder, [UNFINISHED]))
        _check_place(folder / UNFINISHED, inputs)


def _check_place(folder: Path, inputs: Mapping[str, Path]) -> None:
    names, mark = _names_in_use(folder), _RunMark(folder)
    for key, file in inputs.items():
        if any((folder / n).exists() and file.samefile(folder / n) for n in names):
            raise InputError(
                f"{key}={file} is among the files that a run into {folder} replaces; {_CHOOSE}"
            )
    foreign = [name for name in names if not mark.owns(name)]
    if mark.is_foreign():
        foreign.append(MARK)
    if foreign:
        raise InputError(_foreign(folder, foreign))


def _foreign(folder: Path, names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"{folder.absolute()} holds {', '.join(names[:3])}{more}, which no run wrote or which "
        f"changed since, and a run would replace; {_CHOOSE}, or move them elsewhere"
    )


class RunFolder:
    """Writes one run.

    What an earlier run left unfinished in the folder is removed first. A finished result stays
    until the new one is complete: that is written to ``unfinished/``, and takes its place when
    the record is saved. Nothing is removed or replaced but what a run's mark claims.

    Attributes:
        path: where files are being written
    """

    def __init__(self, folder: Path, go_on_at: Path | None = None, *, keep: bool = False):
        """
        Args:
            folder: where the complete run is to be; see :func:`check_folder`
            go_on_at: the one of its :func:`checkpoints` that the run goes on from; what is beside
                it stays
            keep: leave what an unfinished run wrote, as where its failure is recorded
        """
        self._folder = folder
        beside = folder / UNFINISHED if has_result(folder) else folder
        self.path = go_on_at.parent if go_on_at else beside
        self.path.mkdir(parents=True, exist_ok=True)
        if go_on_at is None and not keep:
            _RunMark(self.path).remove_files()
        self._mark = _RunMark(self.path)

    @property
    def is_beside_another(self) -> bool:
        """Whether an earlier result is in the folder, and this run in ``unfinished/``."""
        return self.path != self._folder

    def save_config(self, values: Mapping[str, Any]) -> None:
        """Write ``config.yaml``."""
        text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)
        with self._replacing("config.yaml") as partial:
            partial.write_bytes(text.encode())

    def save_image(self, name: str, image: Image.Image) -> Path:
        """Write a PNG; a reader never sees half of it."""
        with self._replacing(name) as partial:
            save_png(image, partial)
        return self.path / name

    @contextmanager
    def open_trace(self, columns: Sequence[str], after: int | None = None) -> Iterator[Trace]:
        """``trace.csv``, for as long as the block lasts; arguments as for :class:`Trace`."""
        file = self.path / "trace.csv"
        self._check_free(file.name)
        self._mark.add(file.name, WRITING)
        trace = Trace(file, columns, after if file.exists() else None)
        try:
            yield trace
        finally:
            try:
                trace.close()
            finally:
                self._mark.add(file.name, digest_of(file))

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write ``checkpoint.pt`` in place of an earlier one."""
        with self._replacing(CHECKPOINT, WRITING) as partial:
            checkpoint.save(partial)

    def save_record(self, record: Mapping[str, Any]) -> None:
        """Write ``record.json``; a run that is complete takes an earlier one's place."""
        text = json.dumps(_finite(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        if not self.is_beside_another or record.get("status") in ("interrupted", "failed"):
            with self._replacing(RECORD) as partial:
                partial.write_bytes(text.encode())
            return
        staged = _partial(self.path / RECORD)
        staged.write_bytes(text.encode())
        durable.flush(staged)
        (self.path / RECORD).unlink(missing_ok=True)  # of an interruption that it went on from
        names = self._mark.names()
        self._mark.add(RECORD, digest_of(staged))
        self._take_place(names, staged)

    def remove_checkpoint(self) -> None:
        """A complete run has nothing to go on with."""
        if self._mark.owns(CHECKPOINT):
            (self.path / CHECKPOINT).unlink()

    def _take_place(self, names: Sequence[str], staged: Path) -> None:
        """Swap the earlier result for the new one by renaming; undone where a step fails.

        The earlier record goes first and the new one comes last, so that at no time a folder with
        a record lacks a file.
        """
        aside = Path(tempfile.mkdtemp(prefix=".earlier-", dir=self.path))
        earlier = sorted(_RunMark(self._folder).names(), key=lambda name: name != RECORD)
        hidden = {RECORD: _partial(aside / RECORD)}  # a record alone is no complete folder
        moves = [(self._folder / n, hidden.get(n, aside / n)) for n in (*earlier, MARK)]
        moves += [(self.path / n, self._folder / n) for n in (MARK, *names)]
        moves += [(staged, self._folder / RECORD)]
        undo = ExitStack()
        with undo:
            for source, target in moves:
                target.parent.mkdir(exist_ok=True)
                _refuse_existing(target)
                undo.callback(_move_back, target, source)
                os.replace(source, target)
            undo.pop_all()
        shutil.rmtree(aside, ignore_errors=True)
        for folder in (self.path / _SNAPSHOTS, self.path, self._folder / _SNAPSHOTS):
            _remove_if_empty(folder)
        durable.flush_folder(self._folder)
        self.path, self._mark = self._folder, _RunMark(self._folder)

    @contextmanager
    def _replacing(self, name: str, digest: str | None = None) -> Iterator[Path]:
        """A path to write to; what it holds is renamed to ``name`` when the block succeeds.

        Args:
            name: of the file
            digest: what its mark says; by default the sum of what was written
        """
        target = self.path / name
        with durable.replacing(target, _partial(target)) as partial:
            yield partial
            self._check_free(name)
            self._mark.add(name, digest or digest_of(partial))

    def _check_free(self, name: str) -> None:
        if name not in self._mark:
            _refuse_existing(self.path / name)


def _finite(value: Any) -> Any:
    """Values as JSON can hold them: a number that is not finite becomes None."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _refuse_existing(target: Path) -> None:
    """
    Raises:
        InputError: somebody has put a file where a run is about to write.
    """
    if os.path.lexists(target):
        raise InputError(_foreign(target.parent, [target.name]))


def _move_back(target: Path, source: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # the step that failed moved nothing
        os.replace(target, source)
