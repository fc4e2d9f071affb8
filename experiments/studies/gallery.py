"""Content images × style images.

Question: what does each style make of each photograph?
Command: ``python run.py -m study=gallery``; your own with ``content=a.jpg,b.jpg style=c.jpg,d.jpg``
Cost: four runs of 300 steps at 512 px, five minutes on two cores.
Finding: a picture to look at; measured here: does every result have its own style and content?
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nst.pictures.measures import edge_correlation
from nst.reports.findings.studies import Comparison, Finding, Study
from nst.reports.measuring.differences import pixels
from nst.reports.measuring.judges import folders, style_distance
from nst.reports.sweeps import Sweep


def judge(sweep: Sweep) -> Finding:
    """Each result is nearest to its own style, and its edges to its own content's."""
    texts, fractions = [], []
    for key in ("style", "content"):
        if sweep.axis(key) is not None:
            hits, total = _nearest_to_own(sweep, key)
            texts.append(f"{hits} of {total} results are nearest to their own {key}")
            fractions.append(hits / total)
    if not texts:
        return Finding("open", "One content and one style: nothing to compare.")
    best, worst = max(fractions), min(fractions)
    status = "reproduced" if worst == 1 else "partly" if best > 0.5 else "not reproduced"
    return Finding(status, "; ".join(texts) + ".")


def _nearest_to_own(sweep: Sweep, key: str) -> tuple[int, int]:
    """How many results are nearest to the original they were made from."""
    examples = {value: Path(runs["folder"].iloc[0]) for value, runs in sweep.runs.groupby(key)}
    hits = 0
    for folder, value in zip(folders(sweep), sweep.runs[key], strict=True):
        distance = {
            other: _distance(folder, example / f"{key}.png", key)
            for other, example in examples.items()
        }
        hits += min(distance, key=lambda other: distance[other]) == value
    return hits, len(sweep.runs)


def _distance(folder: Path, original: Path, key: str) -> float:
    if key == "style":
        return style_distance(folder, original)
    a, b = pixels(folder / "image.png"), pixels(original)
    rows, columns = min(a.shape[0], b.shape[0]), min(a.shape[1], b.shape[1])
    return -edge_correlation(np.asarray(a[:rows, :columns]), np.asarray(b[:rows, :columns]))


STUDY = Study(
    name="gallery",
    question="What does each style make of each photograph?",
    published="Content and style separate: any photograph takes on any style.",
    judge=judge,
    comparison=Comparison(
        by="style",
        results=("psnr", "ssim", "losses_total", "losses_content", "losses_style"),
        figures=("psnr_map",),
    ),
    rows="content",
    columns="style",
)
