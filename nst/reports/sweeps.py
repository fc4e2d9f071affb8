"""A sweep, read back from its run folders: what varied, which runs there are, which are missing."""

from __future__ import annotations

import contextlib
import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from nst.config.values import UNNAMED_KEYS
from nst.errors import InputError
from nst.reports.sweep_plan import SweepPlan
from nst.runs.recording.folder import RECORD
from nst.runs.recording.read import load_runs


@dataclass(frozen=True)
class Axis:
    """One thing that varied.

    Attributes:
        key: as on the command line
        values: as text, in the order of the jobs
    """

    key: str
    values: tuple[str, ...]

    @property
    def label(self) -> str:
        """The key, short."""
        return self.key.removeprefix("loss.").removeprefix("optimizer.").replace("_", " ")

    @property
    def labels(self) -> tuple[str, ...]:
        """The values, short."""
        return tuple(short(value) for value in self.values)

    def name(self, value: str) -> str:
        """A value that stands alone: numbers and switches with what they are of."""
        bare = re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?|true|false|default", value)
        return f"{self.label} {value}" if bare else short(value)


@dataclass(frozen=True)
class Missing:
    """A job that was planned or begun and has no record."""

    overrides: tuple[str, ...]
    folder: str | None
    reason: str


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
    frames, missing, plans = [], [], []
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{path}: no such folder; give a sweep's, as printed when it ran")
        frame = _load(path)
        plan = SweepPlan.read(path) or SweepPlan()
        plans.append(plan)
        missing += find_missing(path, plan, frame)
        if not frame.empty:
            frames.append(frame.assign(sweep=str(path)))
    if not frames:
        raise InputError(f"no complete run in {', '.join(map(str, paths))}; see the logs below")
    runs = _in_order(pd.concat(frames, ignore_index=True), plans)
    runs, axes, differences = find_axes(runs)
    studies = {plan.study for plan in plans}
    study = studies.pop() if len(studies) == 1 else None
    sizes = {plan.study_size for plan in plans}
    size = sizes.pop() if study and len(sizes) == 1 else None
    command = " ; ".join(dict.fromkeys(_command(plan) for plan in plans if plan.jobs))
    return Sweep(paths, study, size, command, runs, axes, tuple(missing), differences)


def _load(folder: Path) -> pd.DataFrame:
    """The runs below a folder, without records of other things."""
    frame = load_runs(folder)
    if "overrides" not in frame:
        return pd.DataFrame()
    return frame[[isinstance(overrides, list) for overrides in frame["overrides"]]]


def _command(plan: SweepPlan) -> str:
    return "python run.py -m " + " ".join(quoted(plan.overrides))


def quoted(overrides: Sequence[str]) -> list[str]:
    """Overrides as a shell takes them."""
    return [_quoted(override) for override in overrides]


def _quoted(override: str) -> str:
    if re.search(r'[$"`\\!]', override):
        return shlex.quote(override)
    return f'"{override}"' if re.search(r"[\s\[\]{}()'*?;&|<>~]", override) else override


def find_missing(folder: Path, plan: SweepPlan, runs: pd.DataFrame) -> list[Missing]:
    """Jobs of the plan, and folders with Hydra's files, that have no record."""
    complete = set() if runs.empty else {tuple(sorted(o)) for o in runs["overrides"]}
    begun: dict[tuple[str, ...], str] = {}
    for file in sorted(folder.rglob(".hydra/overrides.yaml")):
        run = file.parent.parent
        if not (run / RECORD).is_file():
            begun[tuple(sorted(yaml.safe_load(file.read_text(encoding="utf-8")) or []))] = str(run)
    planned = {tuple(sorted(job)): tuple(job) for job in plan.jobs}
    missing = []
    for key in dict.fromkeys([*planned, *begun]):
        if key not in complete:
            started = begun.get(key)
            reason = _last_error(Path(started)) if started else "not started"
            missing.append(Missing(planned.get(key, key), started, reason))
    return missing


def _last_error(run: Path) -> str:
    """The last error in a run's log, on one line."""
    for log in sorted(run.glob("*.log")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in reversed(lines):
            error = re.search(r"\[ERROR\] - (.*)|^(\w*(?:Error|Exception|Interrupt)\b.*)", line)
            if error and "this job failed" not in line:
                return error[1] or error[2]
    return "interrupted or still running"


def _in_order(runs: pd.DataFrame, plans: Sequence[SweepPlan]) -> pd.DataFrame:
    """Rows in the order of the plans' jobs; Hydra's folders sort 10 before 2."""
    jobs = [tuple(sorted(job)) for plan in plans for job in plan.jobs]
    place = {job: i for i, job in reversed(list(enumerate(jobs)))}
    order = runs["overrides"].map(lambda o: place.get(tuple(sorted(o)), len(jobs)))
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
        if not unnamed and not key.startswith("hydra"):
            values[key] = value
    return values


def short(value: str) -> str:
    """A value as a label.

    >>> short("[conv_1,conv_2]"), short("'pictures/my cat.jpg'"), short("conv_1-5")
    ('conv_1, conv_2', 'my cat', 'conv_1-5')
    """
    bare = value.strip("'\"")
    if bare.startswith("[") and bare.endswith("]"):
        return ", ".join(part.strip() for part in bare[1:-1].split(","))
    is_file = re.search(r"\.(jpe?g|png|webp|tiff?|bmp|gif|pth?|safetensors)$", bare, re.I)
    return Path(bare).stem if is_file else bare


def run_command(overrides: Sequence[str]) -> str:
    """The command that makes one run of a sweep again, alone."""
    alone = ["hydra.mode=RUN"] if any(o.startswith("study=") for o in overrides) else []
    return "python run.py " + " ".join(quoted([*overrides, *alone]))
