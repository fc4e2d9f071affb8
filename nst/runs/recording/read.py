"""Run folders, read back into DataFrames.

What is not as a run leaves it is left out with a warning that names the file and the reason: a
report of a hundred runs does not fail for one of them.
"""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nst.config.values import flat
from nst.errors import InputError, did_you_mean
from nst.runs.recording.folder import RECORD

log = logging.getLogger(__name__)

STATUSES = ("completed", "interrupted", "failed")
"""What ``status`` of a record says; records without one, as older ones, are of complete runs."""


@dataclass(frozen=True)
class FoundRecord:
    """A file called ``record.json``.

    Attributes:
        folder: that it is in
        values: what it says; None where it is no run's record
        problem: why not
    """

    folder: Path
    values: dict[str, Any] | None
    problem: str = ""

    @property
    def status(self) -> str:
        """How the run ended, as in :data:`STATUSES`; empty where that cannot be read."""
        return "" if self.values is None else str(self.values.get("status") or STATUSES[0])


def load_runs(root: str | Path, status: str | Collection[str] = STATUSES[0]) -> pd.DataFrame:
    """The runs below a folder, a row each; nested keys are joined by dots.

    Args:
        root: of a sweep, or of many; links to folders are not followed
        status: how the runs ended, or several of :data:`STATUSES`

    Returns:
        Columns as in ``record.json`` (``losses.total``, ``losses_unweighted.style``,
        ``config.seed`` …) and ``folder``; sorted by folder; empty where there is none.

    Raises:
        InputError: a status that no run has.
    """
    wanted = (status,) if isinstance(status, str) else tuple(status)
    for each in wanted:
        if each not in STATUSES:
            hint = did_you_mean(each, STATUSES)
            raise InputError(f"status={each}: expected {', '.join(STATUSES)}{hint}")
    return as_table(found for found in find_records(root) if found.status in wanted)


def as_table(records: Iterator[FoundRecord] | Collection[FoundRecord]) -> pd.DataFrame:
    """Records as :func:`load_runs` returns them."""
    place = "folder"  # first, whatever a record has under this name
    rows = [
        {place: ""} | dict(flat(found.values)) | {place: str(found.folder)}
        for found in records
        if found.values is not None
    ]
    return pd.DataFrame(rows)


def find_records(root: str | Path) -> list[FoundRecord]:
    """Every ``record.json`` below a folder, sorted by folder; warns of those that are no run's."""
    found = []
    for folder in folders_below(Path(root)):
        if (folder / RECORD).is_file():
            values, problem = _read(folder / RECORD)
            if problem:
                told = "%s is no run's record, and is left out: %s"
                log.warning(told, folder / RECORD, problem)
            found.append(FoundRecord(folder, values, problem))
    return found


def folders_below(root: Path) -> list[Path]:
    """A folder and all below it, sorted; without hidden ones and without following links."""
    folders, waiting = [], [root]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                inside = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
        except OSError as error:
            log.warning("%s cannot be read, and is left out: %s", folder, error.strerror)
            continue
        folders.append(folder)
        waiting += [folder / name for name in inside if not name.startswith(".")]
    return sorted(folders)


# --- what a record may hold -----------------------------------------------------------------------


def _read(file: Path) -> tuple[dict[str, Any] | None, str]:
    """What a record says, or why it is none."""
    try:
        values = json.loads(file.read_bytes())  # of UTF-8, UTF-16 or UTF-32
    except OSError as error:
        return None, error.strerror or type(error).__name__
    except json.JSONDecodeError as error:
        return None, f"it is no JSON from line {error.lineno}, column {error.colno} on"
    except (ValueError, RecursionError):
        return None, "it is no JSON in UTF-8"
    if not isinstance(values, dict):
        return None, f"it holds {_described(values)} and no object"
    values = _printable(values)
    return (None, problem) if (problem := _wrong(values)) else (values, "")


def _printable(value: Any) -> Any:
    """With halves of characters replaced, which no file can hold; JSON can name them."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(each) for key, each in value.items()}
    return [_printable(each) for each in value] if isinstance(value, list) else value


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 10**300


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_layers(value: Any) -> bool:
    return _is_text(value) or _is_texts(value)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_losses(value: Any) -> bool:
    return isinstance(value, dict) and all(v is None or _is_number(v) for v in value.values())


def _may_be_null(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


_KINDS: tuple[tuple[Callable[[Any], bool], str, str], ...] = (
    (_is_object, "an object", "config backbone images versions memory"),
    (_is_losses, "an object of numbers alone", "losses losses_unweighted terms terms_unweighted"),
    (_is_texts, "a list of texts", "overrides warnings"),
    (
        _may_be_null(_is_text),
        "text",
        "status signal error error_type task group device device_name finished commit config_hash "
        "backbone.name backbone.weights config.backbone.name config.backbone.weights config.task "
        "config.content config.style config.optimizer.name config.study.name config.logger.name "
        "config.logger.mode config.logger.project config.logger.entity config.report.judge "
        "config.report.judge_weights",
    ),
    (
        _may_be_null(_is_number),
        "a number",
        "psnr ssim seconds seconds_per_step peak_memory_mb config.report.figure_width",
    ),
    (
        _may_be_null(_is_whole),
        "a whole number",
        "steps restarts seed width height threads batch config.seed config.size "
        "config.optimizer.steps",
    ),
    (_may_be_null(_is_switch), "true or false", "config.report.enabled"),
    (
        _may_be_null(_is_layers),
        "a layer or a list of layers",
        "config.content_layer config.style_layers",
    ),
)
_EXPECTED = {key: (check, words) for check, words, keys in _KINDS for key in keys.split()}
"""What each key holds that anybody reads, where a record has it: another program wrote what has
something else there. A key that is missing, as in records of earlier versions, is no fault."""


def _wrong(values: Mapping[str, Any]) -> str:
    """What in a record is of another kind than it should be; empty where nothing is."""
    for key, value in (*values.items(), *flat(values)):
        check, expected = _EXPECTED.get(key, (None, ""))
        if check is not None and not check(value):
            return f"its {key} should be {expected}, and is {_described(value)}"
    return ""


def _described(value: Any) -> str:
    """A value of JSON in a word or two."""
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return "null" if value is None else kinds.get(type(value), f"the number {value!s:.20}")


# --- traces ---------------------------------------------------------------------------------------


def load_trace(folder: Path) -> pd.DataFrame:
    """``trace.csv`` of one run, a row per step, as far as it was written.

    Returns:
        ``step``, ``seconds``, ``total``, then weighted ``style`` and ``style/LAYER`` and the like,
        then ``style_unweighted`` and ``style/LAYER_unweighted``, NaN where the weight is 0 (see
        :func:`nst.runs.recording.trace.losses_of_step`). A last line without its end is left out.

    Raises:
        InputError: no such file, or none with these columns.
    """
    file = folder / "trace.csv"
    try:
        text = file.read_bytes().decode("utf-8-sig", errors="replace").replace("\0", "")
        whole = text[: text.rfind("\n") + 1]
        table: pd.DataFrame = pd.read_csv(io.StringIO(whole), on_bad_lines="skip", low_memory=False)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:  # empty, or no table
        raise InputError(f"{file} is no run's trace: {error}") from error
    if not {"step", "total"} <= set(table):
        raise InputError(f"{file} is no run's trace: it has no columns step and total")
    table = table.apply(pd.to_numeric, errors="coerce")
    return table[table["step"].notna()].reset_index(drop=True)
