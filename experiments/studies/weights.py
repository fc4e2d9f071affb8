"""Style weight × content weight.

Question: how much of the content survives as the weights change?
Command: ``python run.py -m study=weights``
Cost: nine runs of 300 steps at 256 px.
Finding: docs/studies.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from nst.reports.drawing.trade_off import trade_off

from nst.reports.drawing.style import Drawing
from nst.reports.findings.claims import Answer, CannotSayError, Claim, Comparison, Study
from nst.reports.findings.samples import Samples, rank_correlation
from nst.reports.sweeps import Sweep

STYLE, CONTENT = "loss.style_weight", "loss.content_weight"
FALL = 0.1
ALIKE = 0.25


def _runs(sweep: Sweep) -> pd.DataFrame:
    """The runs with their weights and ratio as numbers, and what is measured."""
    runs = pd.DataFrame(
        {
            "style": sweep.runs[f"config.{STYLE}"].astype(float),
            "content": sweep.runs[f"config.{CONTENT}"].astype(float),
            "kept": sweep.runs["content_kept"].astype(float),
            "distance": sweep.runs["style_distance"].astype(float),
        }
    )
    return runs.assign(ratio=(runs["style"] / runs["content"]).round(9)).dropna()


def _content_gives_way(sweep: Sweep) -> Answer:
    runs, falls = _runs(sweep), []
    for _, same in runs.groupby("style"):
        by_weight = same.groupby("content")["kept"].mean()
        if len(by_weight) > 1:
            falls.append(by_weight.iloc[-1] - by_weight.iloc[0])
    fall = Samples(falls)
    weights = sorted(set(runs["content"]))
    text = (
        f"From content weight {weights[-1]:g} to {weights[0]:g}, content kept falls by {fall} "
        f"(from {runs[runs['content'] == weights[-1]]['kept'].mean():.3f} on average)."
    )
    return fall.answer(fall.at_least(FALL, 0.03), text)


def _style_comes_nearer(sweep: Sweep) -> Answer:
    runs, trends = _runs(sweep), []
    for _, same in runs.groupby("content"):
        if same["style"].nunique() > 1:
            trends.append(rank_correlation(same["style"].tolist(), same["distance"].tolist()))
    trend = Samples(trends)
    least, most = runs.loc[runs["ratio"].idxmin()], runs.loc[runs["ratio"].idxmax()]
    text = (
        f"Style distance goes from {least['distance']:.3f} at a ratio of {least['ratio']:g} to "
        f"{most['distance']:.3f} at {most['ratio']:g}; at equal content weight its rank "
        f"correlation with the style weight is {trend}."
    )
    return trend.answer(trend.at_most(-0.7, -0.3), text)


def _ratio_decides(sweep: Sweep) -> Answer:
    runs = _runs(sweep)
    every = runs["kept"].max() - runs["kept"].min()
    spreads = [
        (same["kept"].max() - same["kept"].min()) / every
        for _, same in runs.groupby("ratio")
        if len(same.drop_duplicates(["style", "content"])) > 1
    ]
    if not every > 0:
        raise CannotSayError("content kept is the same in all runs")
    alike = Samples(spreads)
    text = f"Content kept ranges over {every:.3f}; runs of equal ratio differ by {alike} of that."
    return alike.answer(alike.at_most(ALIKE, 2 * ALIKE), text)


CLAIMS = (
    Claim(
        "small_content_weights_give_way",
        "With content/10 and content/100 the content gives way to the style.",
        "Content kept at the largest content weight less that at the smallest, over the style "
        "weights.",
        f"At least {FALL:g}, which is a third of the way from a clear photograph (0.6) to one that "
        "is hard to find (0.3); partly from 0.03.",
        "Where the style weight is so large that nothing is left to lose, there is no fall.",
        _content_gives_way,
    ),
    Claim(
        "style_comes_nearer",
        "The style comes nearer as its weight rises.",
        "Rank correlation (Spearman) of style distance with the style weight, over the content "
        "weights.",
        "At most −0.7; partly from −0.3.",
        "Beyond some weight style distance cannot fall, and ranks are of noise.",
        _style_comes_nearer,
    ),
    Claim(
        "the_ratio_decides",
        "The ratio of the two weights decides, not their size.",
        "Range of content kept among runs of equal ratio over that of all runs, over the ratios "
        "that occur twice or more.",
        f"At most {ALIKE:g}; partly up to {2 * ALIKE:g}.",
        "Total variation keeps its weight, so runs of equal ratio do not minimise quite the same.",
        _ratio_decides,
    ),
)


def figures(sweep: Sweep, width: float) -> Mapping[str, Drawing]:
    """What one costs the other: by the judge, and by the run's own losses before their weights."""
    color, marker = sweep.axis(STYLE), sweep.axis(CONTENT)
    drawn = {
        "trade_off": trade_off(
            sweep, "style_distance", "content_kept", color=color, marker=marker, width=width
        )
    }
    losses = ("losses_unweighted.style", "losses_unweighted.content")
    if all(column in sweep.runs for column in losses):
        drawn["losses"] = trade_off(sweep, *losses, color=color, marker=marker, width=width)
    return drawn


STUDY = Study(
    name="weights",
    question="How much of the content survives as the weights change?",
    published="The ratio decides: content/10 and content/100 give way to the style.",
    claims=CLAIMS,
    axes=(STYLE, CONTENT),
    comparison=Comparison(
        by="style_to_content",
        results=("psnr", "ssim"),
        across=("style_to_content",),
        figures=("trade_off", "losses"),
    ),
    rows=CONTENT,
    columns=STYLE,
    figures=figures,
)
