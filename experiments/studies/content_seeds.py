"""Two noises, one content.

Question: do two starting noises give the same reconstruction?
Command: ``python run.py -m study=content_seeds`` (``seed=0,1,2,3`` for more)
Cost: two runs of 300 steps at 256 px, half a minute on two cores.
Finding: nearly; what differs looks like noise.
"""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from nst.pictures.measures import neighbor_correlation
from nst.reports.drawing.style import BLUE, RUST, one_plot
from nst.reports.findings.studies import Comparison, Finding, Study
from nst.reports.measuring.differences import Difference, seed_differences
from nst.reports.measuring.judges import folders
from nst.reports.sweeps import Sweep


def differences(sweep: Sweep) -> tuple[list[Difference], list[Difference]]:
    """Those between two seeds, and those of each to the original."""
    labels = [f"seed {seed}" for seed in sweep.runs["seed"]]
    every = seed_differences(folders(sweep), labels)
    original = [each for each in every if each.name.endswith("original")]
    return [each for each in every if not each.name.endswith("original")], original


def judge(sweep: Sweep) -> Finding:
    """The seeds' difference is small, and its neighbouring pixels hardly agree."""
    if len(sweep.runs) < 2:
        return Finding("open", "One seed: nothing to compare.")
    between, original = differences(sweep)
    rms = sum(d.rms for d in between) / len(between)
    to_original = sum(d.rms for d in original) / len(original)
    agree = sum(neighbor_correlation(d.values) for d in between) / len(between)
    text = (
        f"Two seeds differ by {rms:.2f} of 255 (root mean square), each from the original by "
        f"{to_original:.2f}. Neighbouring pixels of the difference correlate {agree:+.2f} "
        "(white noise 0, a picture near 1)."
    )
    noise = agree < 0.5
    status = "reproduced" if noise and rms < 25 else "partly" if noise or rms < 25 else "not"
    return Finding("not reproduced" if status == "not" else status, text)


def figures(sweep: Sweep) -> Mapping[str, Figure]:
    """Pairwise distances between seeds beside the distances to the original."""
    if len(sweep.runs) < 2:
        return {}
    between, original = differences(sweep)
    figure, axes = one_plot(4.6, 3.0)
    for place, (group, color) in enumerate(((between, BLUE), (original, RUST))):
        axes.scatter([place] * len(group), [d.rms for d in group], color=color, s=36, zorder=3)
    axes.set_xticks([0, 1], ["between seeds", "to the original"])
    axes.set_xlim(-0.5, 1.5)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("root mean square difference, of 255")
    return {"distances": figure}


STUDY = Study(
    name="content_seeds",
    question="Do two starting noises give the same reconstruction?",
    published="Nearly: the differences between the two, and to the original, look like noise.",
    judge=judge,
    comparison=Comparison(
        by="seed",
        results=("psnr", "ssim", "losses_content"),
        figures=("seed_difference", "distances"),
    ),
    figures=figures,
)
