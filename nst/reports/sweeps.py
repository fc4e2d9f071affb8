"""A sweep, read back from its run folders: what varied, which runs there are, which are missing."""

from __future__ import annotations

import contextlib
import logging
import math
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from nst.config.values import UNNAMED_KEYS
from nst.errors import InputError
from nst.reports.measuring.quantities import QUANTITIES
from nst.reports.sweep_plan import SweepPlan
from nst.reports.wording.labels import labels, printable, short, unquoted
from nst.runs.recording.checkpoint import CHECKPOINT
from nst.runs.recording.read import STATUSES, FoundRecord, as_table, find_records, folders_below

log = logging.getLogger(__name__)

_COMPLETED, _INTERRUPTED, _FAILED = STATUSES
_PASSING = ("hydra", "logger", "report", "resume")
"""Keys by which a job is the same job, on its way again."""
_TAKEN = {
    *("folder", "overrides", "sweep", "picture", "problem", "warnings"),
    *("photo_distance", "other_style_distance", "layout", *(each.column for each in QUANTITIES)),
}
"""Columns of the runs that no override may take."""
_MOST_REASONS = 4


@dataclass(frozen=True)
class Axis:
    """One thing that varied.

    Attributes:
        key: as on the command line
        values: as text, in the order of the jobs
        told: {value: its label} where that was chosen before, among more values or by others
    """

    key: str
    values: tuple[str, ...]
    told: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def label(self) -> str:
        """The key, short."""
        key = printable(self.key)
        return key.removeprefix("loss.").removeprefix("optimizer.").replace("_", " ")

    @property
    def labels(self) -> tuple[str, ...]:
        """The values, short, no two of them alike."""
        return tuple(self.short(value) for value in self.values)

    def short(self, value: str) -> str:
        """A value as its label, which tells it from the axis's others."""
        return self._labels.get(value, short(value))

    def name(self, value: str) -> str:
        """A value that stands alone: numbers and switches with what they are of."""
        bare = re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?|true|false|default", value)
        return f"{self.label} {value}" if bare else self.short(value)

    def restricted(self, values: Iterable[str]) -> Axis:
        """The axis with some of its values, which keep their labels."""
        return replace(self, values=tuple(values), told=self._labels)

    @cached_property
    def _labels(self) -> Mapping[str, str]:
        return self.told or labels(self.values)


@dataclass(frozen=True)
class Missing:
    """A job that was planned or begun and is not complete.

    Attributes:
        overrides: of the job
        folder: where it was begun, if it was
        reason: why there is no result, in a few words
        goes_on: whether it was interrupted and left what it needs to go on
    """

    overrides: tuple[str, ...]
    folder: str | None
    reason: str
    goes_on: bool = False

    @property
    def command(self) -> str:
        """What makes it, alone: from its checkpoint, where it left one."""
        if not self.goes_on or self.folder is None:
            return run_command(self.overrides)
        place = f"hydra.run.dir={one_value(self.folder)}"
        return f"{run_command(self.overrides)} {' '.join(quoted([place, 'resume=true']))}"


@dataclass(frozen=True)
class Sweep:
    """One sweep, or several side by side.

    Attributes:
        folders: where it was read from
        study: its name, None for a free sweep or for several
        command: what started it
        runs: a row per complete run (see :func:`nst.runs.recording.read.load_runs`), with a text
            column for each axis under its key, in the order of the jobs
        axes: what varied, the slowest first; of several sweeps, ``sweep`` is the first
        missing: what there is no result of
        resume: the commands that run what is missing, one for each folder of a sweep that lacks
            something
        differences: of several sweeps, {name: {key: value}} of what each has throughout and another
            has not
    """

    folders: tuple[Path, ...]
    study: str | None
    size: str | None
    command: str
    runs: pd.DataFrame
    axes: tuple[Axis, ...]
    missing: tuple[Missing, ...] = field(default_factory=tuple)
    differences: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    resume: tuple[str, ...] = ()

    def value(self, index: int, column: str) -> Any:
        """One value of one run; None where it has none."""
        value: Any = self.runs.at[index, column] if column in self.runs else None
        return None if isinstance(value, float) and math.isnan(value) else value

    def numbers(self, column: str) -> pd.Series[float]:
        """A column of the runs; NaN where a run has no finite number there."""
        if column not in self.runs:
            return pd.Series(np.nan, self.runs.index, dtype=float)
        values = pd.to_numeric(self.runs[column], errors="coerce").astype(float)
        return values.where(np.isfinite(values))

    def values(self, column: str) -> list[Any]:
        """What the runs have in a column, in their order; less those that have nothing there."""
        return self.runs[column].dropna().tolist() if column in self.runs else []

    def folder(self, index: int) -> Path:
        """The folder of one run."""
        return Path(str(self.value(index, "folder")))

    def label(self, index: int) -> str:
        """What tells a run from the others."""
        return " · ".join(a.name(str(self.value(index, a.key))) for a in self.axes) or "run"

    def axis(self, key: str) -> Axis | None:
        """The axis of that key, if it varied."""
        return next((axis for axis in self.axes if axis.key == key), None)


def load_sweep(folders: Sequence[str | Path]) -> Sweep:
    """Read one folder or several.

    Raises:
        InputError: a folder that does not exist, or none of them holds a complete run.
    """
    paths = tuple(Path(folder) for folder in folders)
    frames, missing, plans, resume = [], [], [], []
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{path}: no such folder; give a sweep's, as printed when it ran")
        records = find_records(path)
        frame = _complete(records)
        plan = SweepPlan.read(path) or SweepPlan()
        plans.append(plan)
        lacking = find_missing(path, plan, records)
        missing += lacking
        if plan.jobs and lacking:
            resume.append(resume_command(plan.overrides, path))
        if not frame.empty:
            frames.append(frame.assign(sweep=str(path)))
    if not frames:
        raise InputError(_nothing_complete(paths, missing, resume))
    runs = _in_order(pd.concat(frames, ignore_index=True), plans)
    runs, axes, differences = find_axes(runs)
    studies = {plan.study for plan in plans}
    study = studies.pop() if len(studies) == 1 else None
    sizes = {plan.study_size for plan in plans}
    size = sizes.pop() if study and len(sizes) == 1 else None
    command = " ; ".join(dict.fromkeys(_command(plan) for plan in plans if plan.jobs))
    return Sweep(
        paths, study, size, command, runs, axes, tuple(missing), differences, tuple(resume)
    )


def _complete(records: Sequence[FoundRecord]) -> pd.DataFrame:
    """The complete runs; what has no overrides is no job's, and a job counts once."""
    kept: dict[tuple[object, ...], FoundRecord] = {}
    for found in records:
        if not _is_complete(found):
            if found.status == _COMPLETED:
                log.warning("%s is left out: its record has no overrides", found.folder)
            continue
        assert found.values is not None
        key = (*_job(found.values["overrides"]), found.values.get("config_hash"))
        first = kept.setdefault(key, found)
        if first is not found:
            told = "%s is left out: it is the run of %s once more"
            log.warning(told, found.folder, first.folder)
    return as_table(kept.values())


def _is_complete(found: FoundRecord) -> bool:
    return found.status == _COMPLETED and "overrides" in (found.values or ())


def _job(overrides: Iterable[str]) -> tuple[str, ...]:
    """Overrides by which a job is known, in whatever order and however it was started."""
    return tuple(sorted(each for each in overrides if _key(each).split(".")[0] not in _PASSING))


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _nothing_complete(
    folders: Sequence[Path], missing: Sequence[Missing], resume: Sequence[str]
) -> str:
    """Why there is nothing to report, on one line."""
    where = ", ".join(map(str, folders))
    if not missing:
        return f"no complete run in {where}; give the folder of a sweep, as printed when it ran"
    counts = Counter(each.reason for each in missing).most_common()
    reasons = [f"{count} × {reason}" for reason, count in counts[:_MOST_REASONS]]
    more = [f"{len(counts) - _MOST_REASONS} more reasons"] if len(counts) > _MOST_REASONS else []
    commands = f"; this runs what is missing: {' ; '.join(resume)}" if resume else ""
    return f"no complete run in {where} ({'; '.join([*reasons, *more])}){commands}"


def resume_command(overrides: Sequence[str], folder: Path) -> str:
    """The command that runs what a sweep lacks, for a shell.

    Args:
        overrides: of the sweep's command line
        folder: of the sweep

    >>> print(resume_command(["seed=0,1"], Path("outputs/my sweep")))
    python run.py -m seed=0,1 "hydra.sweep.dir='outputs/my sweep'" resume=true
    """
    place = f"hydra.sweep.dir={one_value(str(folder))}"
    words = quoted([*_from_the_start(overrides), place, "resume=true"])
    return "python run.py -m " + " ".join(words)


def _from_the_start(overrides: Iterable[str]) -> list[str]:
    """Overrides without what let the jobs go on in a folder."""
    return [each for each in overrides if _key(each) not in ("resume", "hydra.sweep.dir")]


def one_value(text: str) -> str:
    """Any text as one value of Hydra's grammar, quoted where that would misread it."""
    if re.fullmatch(r"[A-Za-z0-9_./:+@-]+", text):
        return text
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text.replace("${", r"\${"))
    return "'" + re.sub(r"(\\+)$", r"\1\1", escaped) + "'"


def _command(plan: SweepPlan) -> str:
    return "python run.py -m " + " ".join(quoted(_from_the_start(plan.overrides)))


def quoted(overrides: Sequence[str]) -> list[str]:
    """Overrides as a shell takes them."""
    return [_quoted(override) for override in overrides]


def _quoted(override: str) -> str:
    if re.search(r'[$"`\\!]', override):
        return shlex.quote(override)
    return f'"{override}"' if re.search(r"[\s\[\]{}()'*?;&|<>~]", override) else override


def find_missing(
    folder: Path, plan: SweepPlan, records: Sequence[FoundRecord] | None = None
) -> list[Missing]:
    """Jobs that were planned or begun and have no complete record, each with its reason.

    Args:
        folder: of the sweep
        plan: may be empty
        records: of the folder, see :func:`nst.runs.recording.read.find_records`; None reads them
    """
    by_folder = {
        found.folder: found for found in (find_records(folder) if records is None else records)
    }
    complete, begun = set(), dict[tuple[str, ...], Missing]()
    for run in folders_below(folder):
        found = by_folder.get(run)
        overrides = _overrides_of(run, found)
        if overrides is None:
            continue
        job = _job(overrides)
        if found is not None and _is_complete(found):
            complete.add(job)
        elif job not in begun or found is not None:  # what ended counts before what was killed
            reason, goes_on = _why(run, found)
            begun[job] = Missing(tuple(overrides), str(run), reason, goes_on)
    planned = {_job(job): tuple(job) for job in plan.jobs}
    missing = []
    for job in dict.fromkeys([*planned, *begun]):
        if job not in complete:
            each = begun.get(job) or Missing(planned[job], None, "not started")
            missing.append(replace(each, overrides=planned.get(job, each.overrides)))
    return missing


def _overrides_of(run: Path, found: FoundRecord | None) -> list[str] | None:
    """The overrides of a run, by its record or by Hydra's files; None where it is no job's."""
    if found is not None and found.values is not None and "overrides" in found.values:
        overrides: list[str] = found.values["overrides"]
        return overrides
    try:
        text = (run / ".hydra" / "overrides.yaml").read_text(encoding="utf-8", errors="replace")
        listed = yaml.safe_load(text) or []
    except (OSError, yaml.YAMLError):
        return None
    is_list = isinstance(listed, list) and all(isinstance(each, str) for each in listed)
    return listed if is_list else None


def _why(run: Path, found: FoundRecord | None) -> tuple[str, bool]:
    """Why a job that was begun has no result, and whether it left what it needs to go on."""
    goes_on = (run / CHECKPOINT).is_file()
    if found is None:
        return _last_error(run) or "killed or still running", goes_on
    if found.values is None:
        return f"its record.json is no record: {found.problem}", False
    if found.status == _FAILED:
        return _error(found.values), False
    if found.status == _INTERRUPTED:
        return _interruption(found.values), goes_on
    lacks = found.status == _COMPLETED
    return f"its record {'has no overrides' if lacks else f'says status={found.status}'}", False


def _error(record: Mapping[str, Any]) -> str:
    """The error of a failed run, on one line."""
    kind, text = record.get("error_type"), " ".join(str(record.get("error") or "").split())
    named = [kind] if kind and kind != InputError.__name__ else []
    return ": ".join(filter(None, [*named, text])) or "failed"


def _interruption(record: Mapping[str, Any]) -> str:
    """By what, and where.

    >>> _interruption({"signal": "SIGTERM", "steps": 3, "config": {"optimizer": {"steps": 9}}})
    'interrupted by SIGTERM at step 3 of 9'
    """
    by = f" by {record['signal']}" if record.get("signal") else ""
    if record.get("steps") is None:
        return f"interrupted{by}"
    config = record.get("config") or {}
    planned = (config.get("optimizer") or {}).get("steps")
    in_one_pass = not config.get("passes") and config.get("task") != "texture"
    of = f" of {planned}" if planned and in_one_pass else ""
    return f"interrupted{by} at step {record['steps']}{of}"


def _last_error(run: Path) -> str:
    """The last error in a run's log, on one line; empty where it has none."""
    for file in sorted(run.glob("*.log")):
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in reversed(lines):
            error = re.search(r"\[ERROR\] - (.*)|^(\w*(?:Error|Exception|Interrupt)\b.*)", line)
            if error and "this job failed" not in line:
                return error[1] or error[2]
    return ""


def _in_order(runs: pd.DataFrame, plans: Sequence[SweepPlan]) -> pd.DataFrame:
    """Rows in the order of the plans' jobs; Hydra's folders sort 10 before 2."""
    jobs = [_job(job) for plan in plans for job in plan.jobs]
    place = {job: i for i, job in reversed(list(enumerate(jobs)))}
    order = runs["overrides"].map(lambda o: place.get(_job(o), len(jobs)))
    return (
        runs.assign(_order=order)
        .sort_values(["sweep", "_order"], kind="stable", key=_natural)
        .drop(columns="_order")
        .reset_index(drop=True)
    )


def _natural(column: pd.Series[Any]) -> pd.Series[Any]:
    """Sweeps stay in the order in which they were given."""
    return pd.Series(pd.factorize(column)[0], column.index) if column.name == "sweep" else column


def find_axes(
    runs: pd.DataFrame,
) -> tuple[pd.DataFrame, tuple[Axis, ...], dict[str, dict[str, str]]]:
    """Overrides whose values differ between the runs, and of several sweeps the sweep itself.

    What each of several sweeps has throughout is no axis beside ``sweep``: it is what the sweep is.

    Returns:
        The runs with a text column for each axis, the axes in the order of the overrides, and
        ``differences`` as in :class:`Sweep`.
    """
    table = pd.DataFrame([_overrides(o) for o in runs["overrides"]], index=runs.index)
    for key in table:
        table[key] = _filled(table[key], runs, str(key))
    keys = [str(key) for key in table if table[key].nunique() > 1]
    differences: dict[str, dict[str, str]] = {}
    if runs["sweep"].nunique() > 1:
        table["sweep"] = runs["sweep"].map(_names(runs["sweep"].unique()))
        constant = [key for key in keys if table.groupby("sweep")[key].nunique().max() == 1]
        first = table.drop_duplicates("sweep").set_index("sweep")
        differences = {
            str(name): {key: str(first.at[name, key]) for key in constant} for name in first.index
        }
        keys = ["sweep", *(key for key in keys if key not in constant)]
    others = runs.drop(columns=[key for key in keys if key in runs])
    axes = tuple(Axis(key, tuple(dict.fromkeys(table[key]))) for key in keys)
    return pd.concat([others, table[keys]], axis=1), axes, differences


def _names(folders: Iterable[str]) -> dict[str, str]:
    """{folder: as few of its last parts as tell it from the others}."""
    parts = {folder: Path(folder).resolve().parts for folder in folders}
    for count in range(1, max(map(len, parts.values())) + 1):
        names = {folder: "/".join(each[-count:]) for folder, each in parts.items()}
        if len(set(names.values())) == len(names):
            break
    return names


def _filled(values: pd.Series[Any], runs: pd.DataFrame, key: str) -> pd.Series[Any]:
    """Values as text; where a run has no override, what its record says, else ``default``."""
    names = (f"config.{key}", f"config.{key}.name", f"config.{key}.kind")
    recorded = next((name for name in names if name in runs), None)
    known = [str(value) for value in values.dropna().unique()]
    filled = values.copy()
    for index in values.index[values.isna()]:
        value: Any = runs.at[index, recorded] if recorded else None
        value = value.item() if isinstance(value, np.generic) else value
        plain = isinstance(value, (str, bool, int, float)) and value == value
        filled[index] = _as_given(value, known) if plain else "default"
    return filled


def _as_given(value: str | bool | int | float, known: Sequence[str]) -> str:
    """A recorded value as the command line has it: 300.0 as 300, where one of the runs says so."""
    for text in known:
        if text.lower() == str(value).lower():
            return text
        with contextlib.suppress(ValueError):
            if not isinstance(value, str) and float(text) == value:
                return text
    return f"{value:g}" if isinstance(value, float) else str(value)


def _overrides(overrides: Sequence[str]) -> dict[str, str]:
    """{key: value} of what may be an axis; the last of several wins, as in Hydra."""
    values = {}
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        unnamed = key.partition(".")[0] in UNNAMED_KEYS and key != "study.setting"
        if not unnamed and not key.startswith("hydra") and key not in _TAKEN:
            values[key] = unquoted(value)
    return values


def run_command(overrides: Sequence[str]) -> str:
    """The command that makes one run of a sweep again, alone."""
    alone = ["hydra.mode=RUN"] if any(o.startswith("study=") for o in overrides) else []
    return "python run.py " + " ".join(quoted([*_from_the_start(overrides), *alone]))
