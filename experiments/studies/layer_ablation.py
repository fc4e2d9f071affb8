"""Content reconstruction by layer.

Question: what does each depth of the network keep of a photograph?
Command: ``python run.py -m study=layer_ablation`` (``study.layers=all`` for input and 1 … 16)
Cost: four runs of 300 steps at 256 px, about a minute on two cores; all seventeen, five.
Finding: early layers give back the image; deeper ones lose detail but keep the edges.
"""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from nst.pictures.measures import edge_correlation
from nst.reports.drawing.figures import two_scales
from nst.reports.findings.studies import Comparison, Finding, Study
from nst.reports.measuring.judges import content_and_result, folders, medians, rank_correlation
from nst.reports.sweeps import Sweep, short

KEY = "content_layer"
DEEP = "conv_8"
"""The deepest layer of the published study, where the edges are judged."""
TOP = 60
"""dB; equal pictures have 100, which would flatten the rest of the curve."""


def judge(sweep: Sweep) -> Finding:
    """PSNR must fall with depth, and edges outlast pixels."""
    psnr = medians(sweep, KEY, sweep.runs["psnr"])
    if len(psnr) < 3:
        return Finding("open", "Fewer than three layers: nothing to compare.")
    names, values = list(psnr), list(psnr.values())
    trend = rank_correlation(range(len(values)), values)
    edges = medians(sweep, KEY, _edges(sweep))
    deep = DEEP if DEEP in names else names[-1]
    text = (
        f"PSNR goes from {values[0]:.1f} dB at {short(names[0])} to {values[-1]:.1f} dB "
        f"at {short(names[-1])} (rank correlation with depth {trend:+.2f}); at {short(deep)}, with "
        f"{psnr[deep]:.1f} dB, edges still correlate {edges[deep]:.2f} with the original's."
    )
    falls, keeps = trend <= -0.9 and values[0] - values[-1] > 3, edges[deep] > 0.5
    status = "reproduced" if falls and keeps else "partly" if falls or trend < -0.5 else "not"
    return Finding("not reproduced" if status == "not" else status, text)


def _edges(sweep: Sweep) -> list[float]:
    return [edge_correlation(*content_and_result(folder)) for folder in folders(sweep)]


def figures(sweep: Sweep) -> Mapping[str, Figure]:
    """PSNR and the correlation of edges against depth."""
    axis = sweep.axis(KEY)
    if axis is None:
        return {}
    psnr = medians(sweep, KEY, sweep.runs["psnr"])
    edges = medians(sweep, KEY, _edges(sweep))
    shown = [min(value, TOP) for value in psnr.values()]
    figure, _, right = two_scales(
        axis,
        (f"PSNR to the original, dB (at most {TOP})", shown),
        ("correlation of edges", list(edges.values())),
    )
    right.set_ylim(top=1.05)
    return {"psnr_by_depth": figure}


STUDY = Study(
    name="layer_ablation",
    question="What does each depth of the network keep of a photograph?",
    published="Early layers give back the image; deeper layers lose detail but keep edges.",
    judge=judge,
    comparison=Comparison(
        by="layers.content",
        results=("psnr", "ssim"),
        across=("layers.content_depth",),
        figures=("psnr_by_depth",),
    ),
    columns=KEY,
    figures=figures,
)
