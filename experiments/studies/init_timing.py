"""Noise or content as the start.

Question: what does the start image change in quality and in time?
Command: ``python run.py -m study=init_timing``
Cost: two starts × three seeds, 300 steps at 256 px. On the content, too, lies a little noise
(``init.amplitude=0.05``), so that its seeds are repeats; published it has none
(``init=content init.amplitude=0``).
Finding: docs/studies.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from nst.reports.drawing.along import along
from nst.reports.drawing.style import Drawing
from nst.reports.findings.claims import Answer, CannotSayError, Claim, Comparison, Study, Verdict
from nst.reports.findings.samples import Samples, values_by_seed
from nst.reports.measuring.trust import CONTENT_KEPT, LEAST_STEPS
from nst.reports.sweeps import Sweep

KEY = "init"
TOLERANCE = 1.25
MORE = 0.05


def _both(sweep: Sweep, column: str) -> pd.DataFrame:
    table = values_by_seed(sweep, KEY, column)
    for start in ("noise", "content"):
        if start not in table:
            raise CannotSayError(f"both starts are needed, init=noise,content; {start} is missing")
    return table


def _need_equal_work(sweep: Sweep) -> None:
    """Check that times are of some steps, of one run at a time, on one kind of machine."""
    if "steps" in sweep.runs and (sweep.runs["steps"] < LEAST_STEPS).any():
        raise CannotSayError(f"times of fewer than {LEAST_STEPS} steps are of how a run begins")
    if "batch" in sweep.runs and (sweep.runs["batch"] > 1).any():
        raise CannotSayError("runs shared a batch, and each has its share of the batch's time")
    for column, what in (("device_name", "devices"), ("threads", "numbers of threads")):
        values = sweep.runs[column].dropna().unique() if column in sweep.runs else ()
        if len(values) > 1:
            raise CannotSayError(f"the runs had several {what}: {', '.join(map(str, values))}")


def _steps_cost_the_same(sweep: Sweep) -> Answer:
    _need_equal_work(sweep)
    table = _both(sweep, "seconds_per_step")
    ratio = Samples(table["content"] / table["noise"])
    text = (
        f"A step takes {1000 * table['content'].mean():.0f} ms from the content and "
        f"{1000 * table['noise'].mean():.0f} ms from noise: {ratio} times as long."
    )
    low, high = ratio.mean - ratio.spread, ratio.mean + ratio.spread
    if low >= 1 / TOLERANCE and high <= TOLERANCE:
        verdict = Verdict.reproduced
    else:
        within = 1 / TOLERANCE <= ratio.mean <= TOLERANCE
        verdict = Verdict.partly if within else Verdict.not_reproduced
    return ratio.answer(verdict, text)


def _content_keeps_more(sweep: Sweep) -> Answer:
    table = _both(sweep, "content_kept")
    if table["content"].mean() < CONTENT_KEPT:
        raise CannotSayError("the content is not to be found, whatever the start was")
    more = Samples(table["content"] - table["noise"])
    text = (
        f"Content kept is {table['content'].mean():.3f} from the content and "
        f"{table['noise'].mean():.3f} from noise: {more} more."
    )
    verdict = more.at_least(MORE, 0.0) if more.mean > 0 else Verdict.not_reproduced
    return more.answer(verdict, text)


CLAIMS = (
    Claim(
        "a_step_costs_the_same",
        "A step takes as long from the content as from noise.",
        "Seconds per step from the content over those from noise, seed by seed.",
        f"Between {1 / TOLERANCE:g} and {TOLERANCE:g}: the same arithmetic is done, and runs of "
        "equal work differ by 10 to 20 % on a machine that does other things as well; partly where "
        "the spread goes beyond.",
        "Times of a shared machine; where they matter, repeat them on a quiet one.",
        _steps_cost_the_same,
        (),
    ),
    Claim(
        "content_start_keeps_more",
        "Starting from the content keeps more of it.",
        "Content kept from the content less content kept from noise, seed by seed.",
        f"At least {MORE:g} more; partly if it is more at all. From the content, content kept must "
        f"be {CONTENT_KEPT:g}, from where on it is found.",
        "With many more steps the two starts come nearer to each other.",
        _content_keeps_more,
    ),
)


def figures(sweep: Sweep, width: float) -> Mapping[str, Drawing]:
    """Time per step, content kept and style distance for each start."""
    axis = sweep.axis(KEY)
    if axis is None:
        return {}
    columns = ["seconds_per_step", "content_kept", "style_distance"]
    return {"starts": along(sweep, axis, columns, width=width, ordered=False)}


STUDY = Study(
    name="init_timing",
    question="What does the start image change in quality and in time?",
    published="A step costs the same; starting from the content keeps more of it.",
    claims=CLAIMS,
    axes=(KEY, "init.kind"),
    comparison=Comparison(
        by="start",
        results=(
            "seconds",
            "seconds_per_step",
            "psnr",
            "ssim",
            "losses_total",
            "losses_content",
            "losses_style",
        ),
        figures=("starts",),
    ),
    rows="init",
    columns="seed",
    figures=figures,
    task="transfer",
)
