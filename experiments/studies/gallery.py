"""Content images × style images.

Question: what does each style make of each photograph?
Command: ``python run.py -m study=gallery``; your own with ``content=a.jpg,b.jpg style=c.jpg,d.jpg``
Cost: four runs of 100 steps at 512 px.
Finding: docs/studies.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from nst.reports.drawing.style import Drawing
from nst.reports.drawing.trade_off import trade_off
from nst.reports.findings.claims import Answer, Claim, Comparison, Study, Verdict
from nst.reports.findings.samples import Samples, need_axis, numbers
from nst.reports.sweeps import Sweep

FOUND, ABSENT = 0.4, 0.3
NEARER = 0.6


def _takes_its_own_style(sweep: Sweep) -> Answer:
    need_axis(sweep, "style", 2)
    lead = Samples(numbers(sweep, "other_style_distance") / numbers(sweep, "style_distance"))
    nearest = sum(value > 1 for value in lead.values)
    text = (
        f"{nearest} of {len(lead)} results are nearest to their own style; the nearest other one "
        f"is {lead} times as far away."
    )
    verdict = lead.at_least(1.0, 1.0)
    if verdict is Verdict.reproduced and nearest < len(lead):
        verdict = Verdict.partly if nearest else Verdict.not_reproduced
    return lead.answer(verdict, text)


def _comes_near_the_style(sweep: Sweep) -> Answer:
    share = Samples(numbers(sweep, "style_distance") / numbers(sweep, "photo_distance"))
    text = (
        f"Results have {share} of the photograph's own distance to the style left, the worst has "
        f"{max(share.values):.2f}."
    )
    return share.answer(_of_every(share.at_most(NEARER, 0.8), max(share.values) <= NEARER), text)


def _content_stays(sweep: Sweep) -> Answer:
    kept = Samples(numbers(sweep, "content_kept"))
    text = f"Content kept is {kept}, in the worst result {min(kept.values):.2f}."
    return kept.answer(_of_every(kept.at_least(FOUND, ABSENT), min(kept.values) >= FOUND), text)


def _of_every(verdict: Verdict, holds: bool) -> Verdict:
    """What holds on average alone is reproduced in part: the claims are of every result."""
    return Verdict.partly if verdict is Verdict.reproduced and not holds else verdict


CLAIMS = (
    Claim(
        "each_takes_its_own_style",
        "Every result is nearer to its own style than to any other.",
        "Style distance to the nearest other style over that to its own, over the results.",
        "Above 1 in every result; partly where it is on average.",
        "Styles that are alike can be exchanged without harm, and more styles make it harder.",
        _takes_its_own_style,
    ),
    Claim(
        "style_is_taken_on",
        "Every photograph takes on the style.",
        "Style distance of the result over that of its photograph, over the results.",
        f"At most {NEARER:g} in every result; partly up to 0.8 on average.",
        "A copy of the style has 0: the next claim pulls against this one. Colours alone can do "
        "much: of two photographs in the mean and spread of five styles' colours, vgg16_mini finds "
        "0.6 of the distance left or more, vgg19_mini 0.3 or more.",
        _comes_near_the_style,
    ),
    Claim(
        "content_stays",
        "Every photograph can still be found.",
        "Content kept, over the results.",
        f"At least {FOUND:g} in every result; partly from {ABSENT:g} on average. Of a cat in five "
        f"strengths of two styles, we found her from {FOUND:g} on, with effort from {ABSENT:g}; "
        "unrelated pictures have 0.1.",
        "A few pictures, looked at by few; another judge gives other numbers.",
        _content_stays,
    ),
)


def figures(sweep: Sweep, width: float) -> Mapping[str, Drawing]:
    """Style distance against content kept."""
    content, style = sweep.axis("content"), sweep.axis("style")
    if content is None and style is None:
        return {}
    drawing = trade_off(
        sweep, "style_distance", "content_kept", color=style, marker=content, width=width
    )
    return {"style_and_content": drawing}


STUDY = Study(
    name="gallery",
    question="What does each style make of each photograph?",
    published="Content and style separate: any photograph takes on any style.",
    claims=CLAIMS,
    axes=("content", "style"),
    comparison=Comparison(
        by="style",
        results=("psnr", "ssim", "losses_total", "losses_content", "losses_style"),
        figures=("style_and_content",),
    ),
    rows="content",
    columns="style",
    figures=figures,
    task="transfer",
)
