"""Content layer × style window.

Question: what does each combination of a content layer and five style layers keep of both images?
Command: ``python run.py -m study=layer_grid`` (``study.size=quick``: 4 × 4)
Cost: 176 runs of 300 steps at 256 px, about two hours on two cores.
Finding: docs/studies.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nst.reports.drawing.maps import metric_map
from nst.reports.drawing.style import Drawing
from nst.reports.findings.claims import Answer, CannotSayError, Claim, Comparison, Study, Verdict
from nst.reports.findings.samples import Samples, by_depth, need_axis, numbers, trends
from nst.reports.sweeps import Sweep

ROWS, COLUMNS = "content_layer", "style_layers"
DEEP = 8
LAYOUT, RELATED = 0.6, 0.45
ALONE = 0.5
FARTHER = 1.5


def _grid(sweep: Sweep, column: str) -> pd.DataFrame:
    """A column's means: style windows down, content layers across, each shallow first."""
    windows, layers = _windows(sweep), by_depth(sweep, ROWS)
    if len(layers) < 3:
        raise CannotSayError(f"{len(layers)} content layers; three are needed")
    runs = sweep.runs.assign(_value=numbers(sweep, column))
    table = runs.pivot_table(index=COLUMNS, columns=ROWS, values="_value", dropna=False)
    return table.reindex(index=list(windows), columns=list(layers))


def _windows(sweep: Sweep) -> dict[str, int]:
    """{window: depth of its first layer}, shallow first."""
    need_axis(sweep, COLUMNS, 2)
    return by_depth(sweep, COLUMNS, ranges=True)


def _early_keep_pixels(sweep: Sweep) -> Answer:
    table = _grid(sweep, "ssim")
    trend = trends(table, list(by_depth(sweep, ROWS).values()))
    means = table.mean()
    text = (
        f"SSIM goes from {means.iloc[0]:.3f} at {means.index[0]} to {means.iloc[-1]:.3f} at "
        f"{means.index[-1]} (means over the windows); its rank correlation with depth is {trend}."
    )
    return trend.answer(trend.at_most(-0.7, -0.3), text)


def _deep_keep_layout(sweep: Sweep) -> Answer:
    table, layers = _grid(sweep, "layout"), by_depth(sweep, ROWS)
    deep = [value for value, d in layers.items() if d >= DEEP]
    if not deep:
        raise CannotSayError(f"no content layer from conv_{DEEP} on was swept")
    layout = Samples(table[deep[-1]])
    pixels = float(_grid(sweep, "ssim")[deep[-1]].mean())
    text = f"At {deep[-1]} layouts correlate {layout} with the photograph's, at SSIM {pixels:.3f}."
    verdict = layout.at_least(LAYOUT, RELATED)
    if verdict is Verdict.reproduced and not pixels <= ALONE:
        verdict = Verdict.partly
    return layout.answer(verdict, text)


def _late_windows_bring_little(sweep: Sweep) -> Answer:
    table, windows = _grid(sweep, "style_distance"), _windows(sweep)
    first, last = next(iter(windows), ""), next(reversed(windows), "")
    if not windows or windows[first] > 1 or windows[last] < DEEP:
        raise CannotSayError(f"a window from conv_1 on and one from conv_{DEEP} on are needed")
    photo = float(np.mean(numbers(sweep, "photo_distance").dropna()))
    if not table.loc[first].mean() < photo:
        raise CannotSayError(f"{first} brings no style either: the photograph itself is as near")
    ratio = Samples(table.T[last] / table.T[first])
    text = (
        f"Style distance is {table.loc[first].mean():.3f} with {first} and "
        f"{table.loc[last].mean():.3f} with {last}: {ratio} times as much."
    )
    return ratio.answer(ratio.at_least(FARTHER, 1.1), text)


CLAIMS = (
    Claim(
        "early_content_layers_keep_pixels",
        "The earlier the content layer, the more of the photograph's pixels stays.",
        "Rank correlation (Spearman) of SSIM with the content layer's depth, over the style "
        "windows.",
        "At most −0.7; partly from −0.3.",
        "With a strong style all of SSIM is small, and ranks make much of small differences.",
        _early_keep_pixels,
    ),
    Claim(
        "deep_content_layers_keep_layout",
        "Deep content layers keep the photograph's layout alone.",
        "Correlation of picture and photograph in means over blocks of 16 × 16 pixels at the "
        f"deepest content layer (conv_{DEEP} or deeper), over the style windows.",
        f"At least {LAYOUT:g} at an SSIM of at most {ALONE:g}, where half of the pixels' structure "
        f"is gone; partly from {RELATED:g}, whatever SSIM is. Unrelated photographs have −0.4 to "
        "0.4.",
        "Layout is measured in colours, which the style changes on purpose.",
        _deep_keep_layout,
    ),
    Claim(
        "late_windows_bring_little_style",
        "Late style windows bring little of the style.",
        "Style distance with the last window over that with the first, over the content layers.",
        f"At least {FARTHER:g} times; partly from 1.1. With the first window it must be less than "
        "the photograph's own.",
        "The judge's early layers see colour and fine strokes, which only early windows ask for.",
        _late_windows_bring_little,
    ),
)


def figures(sweep: Sweep, width: float) -> Mapping[str, Drawing]:
    """Content kept and style distance for every pair, as maps."""
    rows, columns = sweep.axis(ROWS), sweep.axis(COLUMNS)
    if rows is None or columns is None:
        return {}
    return {
        f"{column}_map": metric_map(sweep, rows, columns, column, width=width)
        for column in ("content_kept", "style_distance")
    }


STUDY = Study(
    name="layer_grid",
    question="What does each combination of content layer and style window keep of both images?",
    published=(
        "Early content layers hold on to the photograph's pixels, deep ones to its layout alone; "
        "late style windows bring little of the style."
    ),
    claims=CLAIMS,
    axes=(ROWS, COLUMNS),
    comparison=Comparison(
        by="layers.style",
        results=("psnr", "ssim", "losses_total", "losses_content", "losses_style"),
        across=("layers.content_depth",),
        figures=("content_kept_map", "style_distance_map"),
    ),
    rows=ROWS,
    columns=COLUMNS,
    figures=figures,
    task="transfer",
)
