"""Texture synthesis by layer set.

Question: which depths make a texture that looks like its original?
Command: ``python run.py -m study=texture_layers``
Cost: sixteen runs of 300 steps at 256 px, eight minutes on two cores.
Finding: 1–5 is most like the original; 9–12 and 11–15 turn to noise.
"""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from nst.pictures.measures import roughness
from nst.reports.drawing.figures import two_scales
from nst.reports.drawing.style import RUST
from nst.reports.findings.studies import Comparison, Finding, Study
from nst.reports.measuring.differences import pixels
from nst.reports.measuring.judges import folders, medians, style_distance
from nst.reports.sweeps import Sweep

KEY = "style_layers"
NOISE = 1.5
"""A picture this many times as rough as its style counts as noise."""


def judge(sweep: Sweep) -> Finding:
    """1–5 nearest to the style among the windows of five; the deep sets rougher than the style."""
    if sweep.axis(KEY) is None:
        return Finding("open", "One layer set: nothing to compare.")
    near, rough = measures(sweep)
    windows = [name for name in near if _length(name) == 5]
    deep = [name for name in ("conv_9-12", "conv_11-15") if name in near]
    if "conv_1-5" not in windows or len(windows) < 2 or not deep:
        best = min(near, key=lambda name: near[name])
        return Finding("open", f"Nearest to the style: {best}, Gram distance {near[best]:.3f}.")
    best = min(windows, key=lambda name: near[name])
    noisy = [name for name in deep if rough[name] > NOISE]
    numbers = ", ".join(f"{name} {rough[name]:.1f}" for name in deep)
    text = (
        f"Of the windows of five, {best} is nearest to the style (Gram distance {near[best]:.3f}; "
        f"1–5 {near['conv_1-5']:.3f}, the worst {max(near[name] for name in windows):.3f}). "
        f"Roughness relative to the style's: conv_1-5 {rough['conv_1-5']:.1f}, "
        f"{numbers} (noise from {NOISE})."
    )
    right = (best == "conv_1-5") + len(noisy) / len(deep)
    status = "reproduced" if right == 2 else "partly" if right > 0 else "not reproduced"
    return Finding(status, text)


def _length(name: str) -> int:
    """Layers in a range such as conv_1-5; 0 for other names."""
    first, dash, last = name.removeprefix("conv_").partition("-")
    return int(last) - int(first) + 1 if dash and first.isdigit() and last.isdigit() else 0


def measures(sweep: Sweep) -> tuple[dict[str, float], dict[str, float]]:
    """Gram distance and relative roughness for each layer set."""
    near = [style_distance(folder) for folder in folders(sweep)]
    rough = [
        roughness(pixels(folder / "image.png")) / roughness(pixels(folder / "style.png"))
        for folder in folders(sweep)
    ]
    return medians(sweep, KEY, near), medians(sweep, KEY, rough)


def figures(sweep: Sweep) -> Mapping[str, Figure]:
    """Distance to the style and roughness for each layer set."""
    axis = sweep.axis(KEY)
    if axis is None:
        return {}
    near, rough = measures(sweep)
    figure, _, right = two_scales(
        axis,
        ("Gram distance to the style", list(near.values())),
        ("roughness, relative to the style's", list(rough.values())),
        bars=True,
    )
    right.axhline(1, color=RUST, lw=0.7, ls=":")
    return {"texture_by_layers": figure}


STUDY = Study(
    name="texture_layers",
    question="Which depths make a texture that looks like its original?",
    published="Layers 1–5 are most like the original; 9–12 and 11–15 turn to noise.",
    judge=judge,
    comparison=Comparison(
        by="layers.style",
        results=("losses_style", "seconds"),
        across=("layers.style_depth",),
        figures=("texture_by_layers",),
    ),
    columns=KEY,
    figures=figures,
)
