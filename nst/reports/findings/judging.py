"""A study's claims held against the runs of a sweep, panel by panel and together."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from nst.reports.findings.claims import Answer, CannotSayError, Claim, Study, Verdict
from nst.reports.sweeps import Axis, Sweep, short

_MOST_NAMED = 3


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
        verdict: of all: that of the claims where they agree, else partly
        claims: one by one
    """

    verdict: Verdict
    claims: tuple[ClaimFinding, ...]


def judge(study: Study, sweep: Sweep) -> StudyFinding:
    """Hold each claim against the runs.

    Args:
        sweep: measured (:func:`nst.reports.measuring.per_run.measured`)
    """
    panels = list(panels_of(study, sweep))
    findings = []
    for claim in study.claims:
        answers = tuple((title, answer(claim, part)) for title, part in panels)
        findings.append(ClaimFinding(claim, answers, together(answers)))
    verdicts = {finding.together.verdict for finding in findings}
    return StudyFinding(verdicts.pop() if len(verdicts) == 1 else Verdict.partly, tuple(findings))


def panels_of(study: Study, sweep: Sweep) -> Iterator[tuple[str, Sweep]]:
    """(title, the runs of a panel) for each combination of the axes that are not the study's."""
    own = [axis for axis in sweep.axes if axis.key in (*study.axes, "seed")]
    free = [axis for axis in sweep.axes if axis not in own]
    for chosen in itertools.product(*(axis.values for axis in free)):
        runs = sweep.runs
        for axis, value in zip(free, chosen, strict=True):
            runs = runs[runs[axis.key] == value]
        if not runs.empty:
            title = " · ".join(f"{a.label} {short(v)}" for a, v in zip(free, chosen, strict=True))
            yield title, _restricted(sweep, runs.index, own)


def _restricted(sweep: Sweep, index: Sequence[int], axes: Sequence[Axis]) -> Sweep:
    """Some runs of a sweep, and of its axes the values that they have."""
    runs = sweep.runs.loc[index]
    left = [
        Axis(axis.key, tuple(value for value in axis.values if (runs[axis.key] == value).any()))
        for axis in axes
    ]
    return replace(sweep, runs=runs, axes=tuple(left))


def answer(claim: Claim, sweep: Sweep) -> Answer:
    """What the runs of one panel say, those that cannot be trusted left out and named."""
    broken = {
        index: reason
        for index in sweep.runs.index
        for reason in (sweep.value(index, need) for need in claim.needs)
        if reason
    }
    named = _named(sweep, broken)
    trusted = [index for index in sweep.runs.index if index not in broken]
    if not trusted:
        return Answer(Verdict.cannot_say, f"No run can be trusted: {named}.")
    try:
        given = claim.decide(_restricted(sweep, trusted, sweep.axes))
    except CannotSayError as reason:
        left_out = f" Left out: {named}." if broken else ""
        return Answer(Verdict.cannot_say, f"{str(reason)[:1].upper()}{str(reason)[1:]}.{left_out}")
    return replace(given, text=f"{given.text} Left out: {named}.") if broken else given


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
    if 2 * silent > len(panels):
        return Answer(Verdict.cannot_say, text)
    verdict = next(iter(counts)) if len(counts) == 1 else Verdict.partly
    return Answer(verdict, text, count=len(panels))
