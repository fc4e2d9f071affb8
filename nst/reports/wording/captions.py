"""What is written below a figure: the question, what is drawn, and the setting of the runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nst.reports.findings.claims import Study
from nst.reports.layout import Layout, Panel
from nst.reports.sweeps import Axis, Sweep
from nst.reports.wording.labels import labels

_MOST_LISTED = 8
_TASKS = {
    "content": "reconstruction of a content image",
    "texture": "texture synthesis",
    "transfer": "style transfer",
}
_OPTIMIZERS = {"lbfgs": "L-BFGS", "adam": "Adam", "sgd": "SGD"}


@dataclass(frozen=True)
class Caption:
    """A sheet's or a figure's caption.

    Attributes:
        question: of the study; empty in a free sweep
        drawn: what the figure shows
        setting: of the runs
    """

    question: str
    drawn: str
    setting: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.question, self.drawn, self.setting)))


def caption(sweep: Sweep, study: Study | None, drawn: str) -> Caption:
    """A caption with the sweep's question and setting."""
    return Caption(study.question if study else "", drawn, setting(sweep))


def setting(sweep: Sweep) -> str:
    """Task, pictures, network with weights, size, steps, seeds and what varied, in a sentence.

    What differs between the runs is listed, as far as it is not an axis, which the end names.
    """
    parts = [
        _listed(_TASKS.get(str(task), str(task)) for task in _values(sweep, "task")),
        *_pictures(sweep),
        *_networks(sweep),
        _listed(_sizes(sweep), unit="px"),
        _steps(sweep),
        _seeds(sweep),
    ]
    varied = [_varied(axis) for axis in sweep.axes if axis.key != "seed"]
    sentence = ", ".join(filter(None, parts))
    told = f"{sentence[:1].upper()}{sentence[1:]}"
    return f"{told}; varied: {'; '.join(varied)}." if varied else f"{told}."


def _values(sweep: Sweep, column: str) -> list[Any]:
    """What a column holds, each once."""
    whole = [int(v) if isinstance(v, float) and v.is_integer() else v for v in sweep.values(column)]
    return list(dict.fromkeys(whole))


def _listed(values: Iterable[object], unit: str = "") -> str:
    """Values with commas; of many the first and the last.

    >>> _listed(range(20), "px"), _listed([192], "px"), _listed([])
    ('0, 1, …, 19 px', '192 px', '')
    """
    texts = list(map(str, values))
    if len(texts) > _MOST_LISTED:
        texts = [*texts[:2], "…", texts[-1]]
    return f"{', '.join(texts)} {unit}".strip() if texts else ""


def _pictures(sweep: Sweep) -> Iterator[str]:
    """The content and the style images that the tasks need."""
    tasks = set(_values(sweep, "task"))
    for key, without in (("content", "texture"), ("style", "content")):
        axis = sweep.axis(key)
        values = list(map(str, _values(sweep, f"config.{key}")))
        names = _listed(axis.labels if axis else labels(values).values())
        if names and tasks - {without}:
            yield f"{key} {names}"


def _networks(sweep: Sweep) -> Iterator[str]:
    """Each network with its weights."""
    names, weights = "config.backbone.name", "config.backbone.weights"
    if {names, weights} <= set(sweep.runs):
        pairs = sweep.runs[[names, weights]].drop_duplicates().itertuples(index=False)
        yield _listed(f"{name} ({_weights(str(of))})" for name, of in pairs)


def _weights(name: str) -> str:
    return f"weights {Path(name).name}" if Path(name).suffix else f"{name} weights"


def _sizes(sweep: Sweep) -> list[str]:
    """Width × height of the results."""
    if not {"width", "height"} <= set(sweep.runs):
        return []
    sizes = sweep.runs[["width", "height"]].dropna().drop_duplicates()
    return [f"{int(w)} × {int(h)}" for w, h in sizes.itertuples(index=False)]


def _steps(sweep: Sweep) -> str:
    steps = _listed(_values(sweep, "steps"))
    names = (_OPTIMIZERS.get(str(n), str(n)) for n in _values(sweep, "config.optimizer.name"))
    optimizers = _listed(names)
    return f"{steps} steps of {optimizers}" if steps and optimizers else ""


def _seeds(sweep: Sweep) -> str:
    seeds = sorted(map(int, _values(sweep, "config.seed")))
    if not seeds:
        return ""
    return f"seed{'s' * (len(seeds) > 1)} {_listed(seeds)}"


def _varied(axis: Axis) -> str:
    return f"{axis.label} ({_listed(axis.labels)})"


def sheet_caption(layout: Layout, panel: Panel) -> str:
    """What stands where on a contact sheet."""
    across = " and ".join(axis.label for axis in layout.columns)
    down = " and ".join(axis.label for axis in layout.rows)
    drawn = f"The pictures by {across or 'run'}"
    drawn += f" (from left to right) and {down} (from top to bottom)" if down else ""
    return f"{drawn}, for {panel.title}." if panel.title else f"{drawn}."


def captions_page(entries: Iterable[tuple[str, Iterable[str], str, str]]) -> str:
    """``captions.md``.

    Args:
        entries: (name of the files, their endings, title as on the page, caption) of each
    """
    parts = ["# Captions\n"]
    for name, ends, title, text in entries:
        files = ", ".join(f"`{name}{end}`" for end in ends)
        parts.append(f"## {name}\n\n{title} of the page; {files}\n\n{markdown(text)}\n")
    return "\n".join(parts)


def markdown(text: str) -> str:
    """A text on one line as Markdown shows it letter by letter: no tags, no links, no formulas.

    >>> print(markdown("style_weight of <b> & [x](y)"))
    style_weight of \\<b\\> \\& \\[x\\](y)
    """
    return re.sub(r"([\\`*<>&$|~\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))
