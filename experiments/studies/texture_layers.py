"""Texture synthesis by layer set.

Question: which depths make a texture that looks like its original?
Command: ``python run.py -m study=texture_layers``
Cost: sixteen layer sets × three seeds, 300 steps at 256 px.
Finding: docs/studies.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from nst.reports.drawing.along import along
from nst.reports.drawing.style import Drawing
from nst.reports.findings.claims import Answer, CannotSayError, Claim, Comparison, Study, Verdict
from nst.reports.findings.samples import Samples, need_pictures, values_by_seed
from nst.reports.sweeps import Sweep

KEY = "style_layers"
FIRST = "conv_1-5"
DEEP = 9
"""Sets that begin at this convolution or deeper are the published ones that turn to noise."""
NOISE = 1.5
NEAR = 1.1
NEEDS = ("too_short", "too_small", "repeated")  # deep sets may be noise: that is the claim


def _ends(name: str) -> tuple[int, int]:
    """First and last convolution of a range such as conv_1-5; (0, 0) for other names."""
    first, dash, last = name.removeprefix("conv_").partition("-")
    return (int(first), int(last)) if dash and first.isdigit() and last.isdigit() else (0, 0)


def _need_first(sweep: Sweep, table: pd.DataFrame) -> None:
    """Check that conv_1-5 is there, and that its pictures are pictures."""
    if FIRST not in table or not table[FIRST].notna().any():
        raise CannotSayError(f"there is no run of {FIRST} that can be trusted")
    need_pictures(sweep, KEY, FIRST)


def _first_is_nearest(sweep: Sweep) -> Answer:
    table = values_by_seed(sweep, KEY, "style_distance")
    _need_first(sweep, table)
    others = [
        name
        for name in map(str, table.columns)
        if name != FIRST and _ends(name)[1] - _ends(name)[0] == 4 and table[name].notna().any()
    ]
    if len(others) < 2:
        raise CannotSayError(f"{len(others)} other windows of five layers; two are needed")
    lead = Samples(table[others].min(axis=1) / table[FIRST])
    means = table[[FIRST, *others]].mean()
    text = (
        f"Style distance is {means[FIRST]:.3f} for {FIRST}; among the other windows of five it is "
        f"smallest for {means[others].idxmin()} ({means[others].min():.3f}), largest for "
        f"{means[others].idxmax()} ({means[others].max():.3f}): {lead} times that of {FIRST}."
    )
    return lead.answer(lead.at_least(1.0, 1 / NEAR), text)


def _deep_sets_are_noise(sweep: Sweep) -> Answer:
    table = values_by_seed(sweep, KEY, "roughness")
    _need_first(sweep, table)
    names = map(str, table.columns)
    deep = [name for name in names if _ends(name)[0] >= DEEP and table[name].notna().any()]
    if not deep:
        raise CannotSayError(f"no set begins at conv_{DEEP} or deeper")
    least, first = Samples(table[deep].min(axis=1)), Samples(table[FIRST])
    verdict = least.at_least(NOISE, NOISE)
    if verdict is not Verdict.not_reproduced and first.mean + first.spread >= NOISE:
        verdict = Verdict.partly if least.mean >= NOISE * first.mean else Verdict.not_reproduced
    numbers = ", ".join(f"{name} {table[name].mean():.2f}" for name in deep)
    text = (
        f"Relative roughness is {numbers}, and {first} for {FIRST}; the least rough deep set has "
        f"{least}."
    )
    return least.answer(verdict, text)


CLAIMS = (
    Claim(
        "first_five_are_nearest",
        "Of all windows of five layers, 1–5 makes the texture that is most like its original.",
        "The smallest style distance among the other windows over that of conv_1-5, over the "
        "seeds; above 1: conv_1-5 is nearest.",
        f"At least 1; partly where conv_1-5 is within {NEAR:g} times the nearest. conv_1-5 must be "
        "a picture.",
        "The judge, too, looks at five depths; one that looks at early layers alone favours 1–5. "
        "The nearest need not be near.",
        _first_is_nearest,
        NEEDS,
    ),
    Claim(
        "deep_sets_turn_to_noise",
        "Sets of deep layers alone (9–12, 11–15) turn to noise.",
        "Roughness relative to the style's of the least rough set that begins at conv_9 or deeper, "
        "over the seeds.",
        f"At least {NOISE:g}, while conv_1-5 is below it; partly where conv_1-5 is above it, too, "
        f"and the deep sets are {NOISE:g} times as rough as that.",
        "What deep layers do not see stays as the start's noise; total variation (study.setting="
        "free) smooths it away without making it like the style. Any fine detail is rough, also "
        "where it is no noise, and a rough style hides noise: white noise of 0.2 is 14 times as "
        "rough as the rocket, but twice as rough as the mosaic.",
        _deep_sets_are_noise,
        NEEDS,
    ),
)


def figures(sweep: Sweep, width: float) -> Mapping[str, Drawing]:
    """Distance to the style and roughness for each layer set."""
    axis = sweep.axis(KEY)
    if axis is None:
        return {}
    lines = {"roughness": (NOISE, "noise")}
    columns = ["style_distance", "roughness"]
    drawing = along(sweep, axis, columns, width=width, ordered=False, lines=lines)
    return {"texture_by_layers": drawing}


STUDY = Study(
    name="texture_layers",
    question="Which depths make a texture that looks like its original?",
    published="Layers 1–5 are most like the original; 9–12 and 11–15 turn to noise.",
    claims=CLAIMS,
    axes=(KEY,),
    comparison=Comparison(
        by="layers.style",
        results=("losses_style", "seconds"),
        across=("layers.style_depth",),
        figures=("texture_by_layers",),
    ),
    columns=KEY,
    figures=figures,
    task="texture",
)
