"""Style weight × content weight.

Question: how much of the content survives as the weights change?
Command: ``python run.py -m study=weights``
Cost: twelve runs of 300 steps at 256 px, four minutes on two cores.
Finding: the ratio decides: content/10 and content/100 give way to the style.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from nst.reports.drawing.style import one_plot
from nst.reports.findings.studies import Comparison, Finding, Study
from nst.reports.measuring.judges import rank_correlation
from nst.reports.sweeps import Sweep


def column(sweep: Sweep, name: str) -> np.ndarray:
    """A column of numbers."""
    return np.array(sweep.runs[name], dtype=float)


def ratios(sweep: Sweep) -> np.ndarray:
    """Style weight over content weight, run by run."""
    style = column(sweep, "config.loss.style_weight")
    ratio: np.ndarray = style / column(sweep, "config.loss.content_weight")
    return ratio


def judge(sweep: Sweep) -> Finding:
    """Similarity to the content falls as style outweighs content."""
    ratio, ssim = ratios(sweep), column(sweep, "ssim")
    if len(set(ratio)) < 3:
        return Finding("open", "Fewer than three ratios of the weights: nothing to compare.")
    trend = rank_correlation(list(ratio), list(ssim))
    low, high = int(ratio.argmin()), int(ratio.argmax())
    text = (
        f"SSIM to the content goes from {ssim[low]:.3f} at a ratio of {ratio[low]:g} to "
        f"{ssim[high]:.3f} at {ratio[high]:g} (rank correlation {trend:+.2f})."
    )
    status = "reproduced" if trend <= -0.9 else "partly" if trend < -0.3 else "not reproduced"
    return Finding(status, text)


def figures(sweep: Sweep) -> Mapping[str, Figure]:
    """Unweighted content loss against unweighted style loss: what one costs the other."""
    content = column(sweep, "losses.content") / column(sweep, "config.loss.content_weight")
    style = column(sweep, "losses.style") / column(sweep, "config.loss.style_weight")
    figure, axes = one_plot(4.8, 3.4)
    picture = axes.scatter(style, content, c=ratios(sweep), norm="log", cmap="viridis", s=36)
    for axis, set_scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        set_scale("log")
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        low, high = axis.get_view_interval()
        few = MaxNLocator(5) if high < 10 * low else LogLocator(subs=(1.0, 2.0, 5.0))
        axis.set_major_locator(few)
    axes.set_xlabel("style loss, unweighted")
    axes.set_ylabel("content loss, unweighted")
    figure.colorbar(picture, ax=axes, label="style weight / content weight")
    return {"trade_off": figure}


STUDY = Study(
    name="weights",
    question="How much of the content survives as the weights change?",
    published="The ratio decides: content/10 and content/100 give way to the style.",
    judge=judge,
    comparison=Comparison(
        by="style_to_content",
        results=("psnr", "ssim"),
        across=("style_to_content",),
        figures=("trade_off", "psnr_map"),
    ),
    rows="loss.content_weight",
    columns="loss.style_weight",
    figures=figures,
)
