"""A study's claims held against the runs of a sweep, panel by panel and together."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from nst.reports.findings.claims import Answer, CannotSayError, Claim, Study, Verdict
from nst.reports.findings.spelling import spelled
from nst.reports.sweeps import Axis, Sweep

_MOST_NAMED = 3
_TASK = "another_task"


@dataclass(frozen=True)
class ClaimFinding:
    """What a sweep says to one claim.

    Attributes:
        claim: which
        panels: (title, answer) for each combination of what varied beside the study's own axes and
            the seed; the title is empty where nothing did
        together: of all panels
    """

    claim: Claim
    panels: tuple[tuple[str, Answer], ...]
    together: Answer


@dataclass(frozen=True)
class StudyFinding:
    """What a sweep says to a study's claims.

    Attributes:
        verdict: of all, see :func:`agreed`
        claims: one by one
    """

    verdict: Verdict
    claims: tuple[ClaimFinding, ...]


def judge(study: Study, sweep: Sweep) -> StudyFinding:
    """Hold each claim against the runs.

    Args:
        sweep: measured (:func:`nst.reports.measuring.per_run.measured`)
    """
    panels = list(panels_of(study, _with_task(study, sweep)))
    findings = []
    for claim in study.claims:
        answers = tuple((title, answer(claim, part)) for title, part in panels)
        findings.append(ClaimFinding(claim, answers, together(answers)))
    return StudyFinding(agreed([f.together.verdict for f in findings]), tuple(findings))


def agreed(verdicts: Sequence[Verdict]) -> Verdict:
    """A study's verdict from those of its claims.

    Cannot say where most claims cannot; reproduced where every claim is, not reproduced where every
    claim that can say is not; else partly.
    """
    heard = [verdict for verdict in verdicts if verdict is not Verdict.cannot_say]
    if 2 * len(heard) < len(verdicts) or not heard:
        return Verdict.cannot_say
    if set(heard) == {Verdict.not_reproduced}:
        return Verdict.not_reproduced
    return Verdict.reproduced if set(verdicts) == {Verdict.reproduced} else Verdict.partly


def _with_task(study: Study, sweep: Sweep) -> Sweep:
    """With a column that says which runs are of another task than the study."""
    tasks = [sweep.value(index, "task") for index in sweep.runs.index]
    texts = [
        f"task={task}, the study is of task={study.task}"
        if study.task and task not in (None, study.task)
        else None
        for task in tasks
    ]
    column = pd.Series(texts, sweep.runs.index, dtype=object)
    return replace(sweep, runs=sweep.runs.assign(**{_TASK: column}))


def panels_of(study: Study, sweep: Sweep) -> Iterator[tuple[str, Sweep]]:
    """(title, the runs of a panel) for each combination of the axes that are not the study's.

    The study's own axes are spelled as :func:`nst.reports.findings.spelling.spelled` does.
    """
    sweep = spelled(sweep, study.axes)
    own = [axis for axis in sweep.axes if axis.key in (*study.axes, "seed")]
    free = [axis for axis in sweep.axes if axis not in own]
    for chosen in itertools.product(*(axis.values for axis in free)):
        runs = sweep.runs
        for axis, value in zip(free, chosen, strict=True):
            runs = runs[runs[axis.key] == value]
        if not runs.empty:
            title = " · ".join(f"{a.label} {a.short(v)}" for a, v in zip(free, chosen, strict=True))
            yield title, _restricted(sweep, list(runs.index), own)


def _restricted(sweep: Sweep, index: list[int], axes: Sequence[Axis]) -> Sweep:
    """Some runs of a sweep, and of its axes the values that they have."""
    runs = sweep.runs.loc[index]
    left = [
        axis.restricted(value for value in axis.values if (runs[axis.key] == value).any())
        for axis in axes
    ]
    return replace(sweep, runs=runs, axes=tuple(left))


def answer(claim: Claim, sweep: Sweep) -> Answer:
    """What the runs of one panel say, those that cannot be trusted left out and named."""
    wrong = {
        index: next(filter(None, (sweep.value(index, need) for need in (_TASK, *claim.needs))), "")
        for index in sweep.runs.index
    }
    broken = {index: reason for index, reason in wrong.items() if reason}
    named = _named(sweep, broken)
    trusted = [index for index in sweep.runs.index if index not in broken]
    if not trusted:
        return Answer(Verdict.cannot_say, f"No run can be trusted: {named}.")
    try:
        given = claim.decide(_restricted(sweep, trusted, sweep.axes))
    except CannotSayError as reason:
        left_out = f" Left out: {named}." if broken else ""
        return Answer(Verdict.cannot_say, f"{_capitalized(str(reason))}.{left_out}")
    return replace(given, text=f"{given.text} Left out: {named}.") if broken else given


def _capitalized(text: str) -> str:
    """With a capital first letter, unless it begins with a name such as conv_1."""
    return text if "_" in text.split(" ")[0] else text[:1].upper() + text[1:]


def _named(sweep: Sweep, broken: dict[int, str]) -> str:
    """Runs with what is wrong with each; of many, the first and how many there are."""
    texts = [f"{sweep.label(index)} ({reason})" for index, reason in broken.items()]
    more = len(texts) - _MOST_NAMED
    return ", ".join(texts[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def together(panels: Sequence[tuple[str, Answer]]) -> Answer:
    """One answer of several panels.

    They agree, or the verdict is "partly"; panels that cannot say do not count, unless they are
    more than half.
    """
    if len(panels) == 1:
        return panels[0][1]
    counts = Counter(given.verdict for _, given in panels)
    silent = counts.pop(Verdict.cannot_say, 0)
    text = ", ".join(f"{verdict} in {count}" for verdict, count in counts.items())
    text = f"Of {len(panels)} panels: {text}" if text else f"Of {len(panels)} panels none can say"
    text += f", {silent} cannot say." if silent and counts else "."
    if not counts or 2 * silent > len(panels):
        return Answer(Verdict.cannot_say, text)
    verdict = next(iter(counts)) if len(counts) == 1 else Verdict.partly
    return Answer(verdict, text, count=len(panels))
