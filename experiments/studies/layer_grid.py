"""Content layer × style window.

Question: what does each combination of a content layer and five style layers keep of both images?
Command: ``python run.py -m study=layer_grid`` (``study.size=quick``: 4 × 4)
Cost: 176 runs of 300 steps at 256 px, about two hours on two cores.
Finding: early content layers hold on to the photograph's pixels, deep ones to its layout alone.
"""

from __future__ import annotations

from nst.reports.findings.studies import Comparison, Finding, Study
from nst.reports.measuring.judges import medians, rank_correlation
from nst.reports.sweeps import Sweep, short


def judge(sweep: Sweep) -> Finding:
    """Similarity to the content falls with the content layer's depth."""
    if sweep.axis("content_layer") is None:
        return Finding("open", "One content layer: nothing to compare.")
    ssim = medians(sweep, "content_layer", sweep.runs["ssim"])
    names, values = list(ssim), list(ssim.values())
    trend = rank_correlation(range(len(values)), values)
    text = (
        f"Median SSIM to the content goes from {values[0]:.3f} at {short(names[0])} to "
        f"{values[-1]:.3f} at {short(names[-1])} (rank correlation with depth {trend:+.2f})."
    )
    status = "reproduced" if trend <= -0.7 else "partly" if trend < 0 else "not reproduced"
    return Finding(status, text)


STUDY = Study(
    name="layer_grid",
    question="What does each combination of content layer and style window keep of both images?",
    published=(
        "Early content layers hold on to the photograph's pixels, deep ones to its layout alone; "
        "late style windows bring little of the style."
    ),
    judge=judge,
    comparison=Comparison(
        by="layers.style",
        results=("psnr", "ssim", "losses_total", "losses_content", "losses_style"),
        across=("layers.content_depth",),
        figures=("psnr_map",),
    ),
    rows="content_layer",
    columns="style_layers",
)
