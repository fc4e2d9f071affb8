"""Style weight × content weight.

Question: how much of the content survives as the weights change?
Command: ``python run.py -m study=weights``
Cost: nine runs of 300 steps at 256 px.
Finding: docs/studies.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from nst.reports.drawing.style import Drawing
from nst.reports.drawing.trade_off import trade_off
from nst.reports.findings.claims import Answer, CannotSayError, Claim, Comparison, Study
from nst.reports.findings.samples import Samples, numbers, rank_correlation
from nst.reports.measuring.trust import CONTENT_KEPT
from nst.reports.sweeps import Sweep

STYLE, CONTENT = "loss.style_weight", "loss.content_weight"
FALL, SEEN = 0.1, 0.03
ALIKE = 0.25


def _runs(sweep: Sweep) -> pd.DataFrame:
    """The runs with their weights and ratio as numbers, and what is measured."""
    runs = pd.DataFrame(
        {
            "style": numbers(sweep, f"config.{STYLE}"),
            "content": numbers(sweep, f"config.{CONTENT}"),
            "kept": numbers(sweep, "content_kept"),
            "distance": numbers(sweep, "style_distance"),
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
    least, most = runs["content"].min(), runs["content"].max()
    before = float(runs["kept"][runs["content"] == most].mean())
    if before < CONTENT_KEPT:
        raise CannotSayError(
            f"the content is not to be found at the largest content weight either: {before:.2f} of "
            "it is kept"
        )
    text = (
        f"From content weight {most:g} to {least:g}, content kept falls by {fall} (from "
        f"{before:.3f} on average)."
    )
    return fall.answer(fall.at_least(FALL, SEEN), text)


def _style_comes_nearer(sweep: Sweep) -> Answer:
    runs, trends = _runs(sweep), []
    for _, same in runs.groupby("content"):
        if same["style"].nunique() > 2:
            trends.append(rank_correlation(same["style"].tolist(), same["distance"].tolist()))
    if not trends:
        raise CannotSayError("fewer than three style weights at equal content weight")
    trend = Samples(trends)
    by_ratio = runs.groupby("ratio")["distance"].mean()
    text = (
        f"Style distance goes from {by_ratio.iloc[0]:.3f} at a ratio of {by_ratio.index[0]:g} to "
        f"{by_ratio.iloc[-1]:.3f} at {by_ratio.index[-1]:g}; at equal content weight its rank "
        f"correlation with the style weight is {trend}."
    )
    return trend.answer(trend.at_most(-0.7, -0.3), text)


def _ratio_decides(sweep: Sweep) -> Answer:
    runs = _runs(sweep)
    every = float(runs["kept"].max() - runs["kept"].min())
    if not every >= SEEN:
        raise CannotSayError(f"content kept ranges over {every:.3f}: no weight decides anything")
    spreads = [
        (same["kept"].max() - same["kept"].min()) / every
        for _, same in runs.groupby("ratio")
        if len(same.drop_duplicates(["style", "content"])) > 1
    ]
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
        f"is hard to find ({CONTENT_KEPT:g}); partly from {SEEN:g}. At the largest content weight "
        f"{CONTENT_KEPT:g} must be kept.",
        "Where the style weight is so large that nothing is left to lose, there is no fall.",
        _content_gives_way,
    ),
    Claim(
        "style_comes_nearer",
        "The style comes nearer as its weight rises.",
        "Rank correlation (Spearman) of style distance with three style weights or more, over the "
        "content weights.",
        "At most −0.7; partly from −0.3.",
        "Beyond some weight style distance cannot fall, and ranks are of noise; they do not say "
        "how much nearer it comes.",
        _style_comes_nearer,
    ),
    Claim(
        "the_ratio_decides",
        "The ratio of the two weights decides, not their size.",
        "Range of content kept among runs of equal ratio over that of all runs, over the ratios "
        "that occur twice or more.",
        f"At most {ALIKE:g}; partly up to {2 * ALIKE:g}. Of all runs content kept must range over "
        f"{SEEN:g}.",
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
    if pd.DataFrame({column: sweep.numbers(column) for column in losses}).notna().all(axis=1).any():
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
        results=("ssim", "losses_unweighted_content", "losses_unweighted_style"),
        across=("style_to_content",),
        figures=("trade_off", "losses"),
    ),
    rows=CONTENT,
    columns=STYLE,
    figures=figures,
    task="transfer",
)
