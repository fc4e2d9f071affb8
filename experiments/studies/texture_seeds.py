"""Two noises, one texture.

Question: do two starting noises give the same texture?
Command: ``python run.py -m study=texture_seeds`` (``seed=0,1,2,3`` for more)
Cost: two runs of 300 steps at 256 px, a minute on two cores.
Finding: the results differ visibly, for Gram matrices forget position.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from experiments.studies.content_seeds import differences
from experiments.studies.content_seeds import figures as distances
from nst.reports.findings.studies import Comparison, Finding, Study
from nst.reports.measuring.differences import pixels
from nst.reports.measuring.judges import folders, style_distance
from nst.reports.sweeps import Sweep


def judge(sweep: Sweep) -> Finding:
    """The pictures are uncorrelated, and equally near to the style."""
    if len(sweep.runs) < 2:
        return Finding("open", "One seed: nothing to compare.")
    grays = [pixels(folder / "image.png").mean(2).ravel() for folder in folders(sweep)]
    together = np.corrcoef(grays)
    agree = float(together[np.triu_indices(len(grays), 1)].mean())
    between, _ = differences(sweep)
    rms = sum(d.rms for d in between) / len(between)
    near = [style_distance(folder) for folder in folders(sweep)]
    text = (
        f"Two seeds differ by {rms:.1f} of 255 (root mean square) and correlate {agree:+.2f}, "
        f"while their Gram distances to the style are {min(near):.3f} to {max(near):.3f}."
    )
    return Finding("reproduced" if agree < 0.5 else "not reproduced", text)


def figures(sweep: Sweep) -> Mapping[str, Figure]:
    """As for ``content_seeds``, where the style image has the result's shape."""
    return distances(sweep)


STUDY = Study(
    name="texture_seeds",
    question="Do two starting noises give the same texture?",
    published="The results differ visibly: Gram matrices forget position.",
    judge=judge,
    comparison=Comparison(
        by="seed",
        results=("losses_style",),
        figures=("seed_difference", "distances"),
    ),
    figures=figures,
)
