"""Content reconstruction by layer.

Question: what does each depth of the network keep of a photograph?
Command: ``python run.py -m study=layer_ablation`` (``study.layers=all`` for input and 1 … 16)
Cost: four layers × three seeds, 300 steps at 256 px.
Finding: docs/studies.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from nst.reports.drawing.along import along
from nst.reports.drawing.style import Drawing
from nst.reports.findings.claims import Answer, CannotSayError, Claim, Comparison, Study
from nst.reports.findings.samples import Samples, by_depth, need_pictures, trends, values_by_seed
from nst.reports.sweeps import Sweep

KEY = "content_layer"
FAITHFUL, LOSSY = 30.0, 20.0  # dB
EDGES = 0.5
SHALLOW, PUBLISHED = 2, 8
"""Depths: the deepest that counts as early, and the deepest of the published study."""


def _deep(sweep: Sweep) -> str:
    """The layer at which the deep claims are held: conv_8, or the nearest one from conv_5 on."""
    deep = {value: d for value, d in by_depth(sweep, KEY).items() if d >= 5}
    if not deep:
        raise CannotSayError("no layer from conv_5 on was swept")
    return min(deep, key=lambda value: (abs(deep[value] - PUBLISHED), deep[value]))


def _early_gives_back(sweep: Sweep) -> Answer:
    early = [value for value, d in by_depth(sweep, KEY).items() if 1 <= d <= SHALLOW]
    if not early:
        raise CannotSayError("neither conv_1 nor conv_2 was swept")
    psnr = Samples(values_by_seed(sweep, KEY, "psnr")[early[0]])
    verdict = psnr.at_least(FAITHFUL, FAITHFUL - 5)
    return psnr.answer(verdict, f"PSNR is {psnr} dB at {early[0]}.", "dB")


def _fidelity_falls(sweep: Sweep) -> Answer:
    depths = by_depth(sweep, KEY)
    if len(depths) < 3:
        raise CannotSayError(f"{len(depths)} layers were swept; three are needed")
    need_pictures(sweep, KEY, next(iter(depths)))  # deeper ones may turn to noise
    table = values_by_seed(sweep, KEY, "psnr")[list(depths)]
    trend, means = trends(table, list(depths.values())), table.mean()
    text = (
        f"PSNR goes from {means.iloc[0]:.1f} dB at {means.index[0]} to {means.iloc[-1]:.1f} dB at "
        f"{means.index[-1]}; its rank correlation with depth is {trend}."
    )
    return trend.answer(trend.at_most(-0.9, -0.5), text)


def _deep_keeps_edges(sweep: Sweep) -> Answer:
    layer = _deep(sweep)
    edges = Samples(values_by_seed(sweep, KEY, "edges")[layer])
    return edges.answer(edges.at_least(EDGES, 0.3), f"Edges correlate {edges} at {layer}.")


def _deep_loses_detail(sweep: Sweep) -> Answer:
    layer = _deep(sweep)
    psnr = Samples(values_by_seed(sweep, KEY, "psnr")[layer])
    return psnr.answer(psnr.at_most(LOSSY, LOSSY + 5), f"PSNR is {psnr} dB at {layer}.", "dB")


CLAIMS = (
    Claim(
        "early_layers_give_the_image_back",
        "The first layers give the photograph back.",
        "PSNR to the photograph at the shallowest of conv_1 and conv_2, over the seeds.",
        f"At least {FAITHFUL:g} dB, where pixels are off by 8 of 255 and two pictures look alike "
        f"side by side; partly from {FAITHFUL - 5:g} dB.",
        "PSNR counts a faint grain all over as much as a wrong colour in one place.",
        _early_gives_back,
    ),
    Claim(
        "fidelity_falls_with_depth",
        "The deeper the layer, the less of the photograph's pixels comes back.",
        "Rank correlation (Spearman) of PSNR with depth, over the seeds; −1: it falls at every "
        "layer.",
        "At most −0.9, so that one neighbouring pair may be exchanged among five layers or more; "
        "partly from −0.5.",
        "Part of the loss is the starting noise that a deep layer does not see and total variation "
        "would remove: study.setting=free shows how much.",
        _fidelity_falls,
        ("too_short", "too_small", "repeated"),
    ),
    Claim(
        "deep_layers_lose_detail",
        "Deep layers lose detail.",
        "PSNR at conv_8, or the nearest layer from conv_5 on, over the seeds.",
        f"At most {LOSSY:g} dB, where pixels are off by 25 of 255 or more; partly up to "
        f"{LOSSY + 5:g} dB.",
        "Grain in colour that the layer does not see lowers PSNR as lost detail does.",
        _deep_loses_detail,
        ("too_short", "too_small", "not_a_picture", "content_absent", "repeated"),
    ),
    Claim(
        "deep_layers_keep_edges",
        "Deep layers keep the edges all the same.",
        "Correlation of the gradient magnitudes of picture and photograph on grey, at the same "
        "layer, over the seeds.",
        f"At least {EDGES:g}: other photographs have 0 ± 0.1, so this is half way to the "
        "photograph itself; partly from 0.3.",
        "Grey sees no grain in colour, and another deep layer gives another number.",
        _deep_keeps_edges,
    ),
)


def figures(sweep: Sweep, width: float) -> Mapping[str, Drawing]:
    """PSNR, edges and content kept against depth."""
    axis = sweep.axis(KEY)
    if axis is None:
        return {}
    lines = {"psnr": (FAITHFUL, "looks alike"), "edges": (EDGES, "half way")}
    columns = ["psnr", "edges", "content_kept"]
    return {"fidelity_by_depth": along(sweep, axis, columns, width=width, lines=lines)}


STUDY = Study(
    name="layer_ablation",
    question="What does each depth of the network keep of a photograph?",
    published="Early layers give back the image; deeper layers lose detail but keep edges.",
    claims=CLAIMS,
    axes=(KEY,),
    comparison=Comparison(
        by="layers.content",
        results=("psnr", "ssim"),
        across=("layers.content_depth",),
        figures=("fidelity_by_depth",),
    ),
    columns=KEY,
    figures=figures,
    task="content",
)
