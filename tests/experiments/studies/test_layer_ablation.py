from __future__ import annotations

import math

import pytest

from nst.reports.sweeps import Sweep
from tests.experiments.studies.runs import C, N, P, R, answer, jitter, seeds, sweep_of, without

NAME = "layer_ablation"
LAYERS = ("conv_1", "conv_2", "conv_4", "conv_8")
FALLING = (38.0, 33.0, 26.0, 17.0)  # dB


def reconstructions(
    psnr: tuple[float, ...] = FALLING,
    edges: float = 0.7,
    spread: float = 0.1,
    layers: tuple[str, ...] = LAYERS,
    count: int = 3,
    **columns: object,
) -> Sweep:
    """A PSNR for each layer, and the deepest's edges."""
    of_layer = dict(zip(layers, psnr, strict=True))
    return sweep_of(
        {"content_layer": layers, **seeds(count)},
        lambda cell: {
            "psnr": of_layer[cell["content_layer"]] + jitter(cell, spread),
            "edges": edges + jitter(cell, 0.01),
        },
        **{"task": "content", **columns},
    )


@pytest.mark.parametrize(
    ("claim", "runs", "verdict"),
    [
        ("early_layers_give_the_image_back", reconstructions(), R),
        ("early_layers_give_the_image_back", reconstructions((30.5, 29, 26, 17), spread=1), P),
        ("early_layers_give_the_image_back", reconstructions((27, 26, 25, 17)), P),
        ("early_layers_give_the_image_back", reconstructions((24, 23, 22, 17)), N),
        ("fidelity_falls_with_depth", reconstructions(), R),
        ("fidelity_falls_with_depth", reconstructions((38, 33, 17, 26)), P),
        ("fidelity_falls_with_depth", reconstructions((17, 26, 33, 38)), N),
        ("fidelity_falls_with_depth", reconstructions((20, 20, 20, 20), spread=0), N),
        ("deep_layers_lose_detail", reconstructions(), R),
        ("deep_layers_lose_detail", reconstructions((38, 33, 26, 24)), P),
        ("deep_layers_lose_detail", reconstructions((38, 37, 36, 35)), N),
        ("deep_layers_keep_edges", reconstructions(), R),
        ("deep_layers_keep_edges", reconstructions(edges=0.4), P),
        ("deep_layers_keep_edges", reconstructions(edges=0.2), N),
    ],
)
def test_a_verdict_by_the_stated_thresholds(claim: str, runs: Sweep, verdict: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == verdict, given.text
    assert given.count == 3
    assert given.value is not None
    assert f"{given.value:.3g}".replace("-", "−") in given.text


CLAIMS = {
    "early_layers_give_the_image_back": "psnr",
    "fidelity_falls_with_depth": "psnr",
    "deep_layers_lose_detail": "psnr",
    "deep_layers_keep_edges": "edges",
}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize(
    ("runs", "why"),
    [
        (reconstructions(count=1), "1 sample"),
        (reconstructions(psnr=(20,), layers=("conv_4",)), "swept"),
        (reconstructions(psnr=(30, 20), layers=("conv_3", "conv_4")), "swept"),
        (reconstructions(task="transfer"), "the study is of task=content"),
        (reconstructions(psnr=(math.nan,) * 4, edges=math.nan), "no "),
    ],
    ids=["one seed", "one layer", "neither early nor deep", "another task", "no numbers"],
)
def test_too_few_runs_cannot_say(claim: str, runs: Sweep, why: str) -> None:
    given = answer(NAME, claim, runs)
    assert given.verdict == C
    assert why in given.text
    assert given.number == ""


@pytest.mark.parametrize(("claim", "column"), CLAIMS.items())
def test_records_without_a_measure_cannot_say(claim: str, column: str) -> None:
    given = answer(NAME, claim, without(reconstructions(), column))
    assert given.verdict == C
    assert given.text.startswith("The runs have no")


@pytest.mark.parametrize(
    ("layers", "resolved"),
    [
        (("[conv_1]", "[conv_2]", "[conv_4]", "[conv_8]"), [["conv_1"], ["conv_2"], ["conv_4"],
                                                          ["conv_8"]]),
        (("conv1_1", "conv1_2", "conv2_2", "conv3_4"), None),
        (("relu1_1", "relu1_2", "relu2_2", "block3_conv4"), None),
        (("'conv_1'", "'conv_2'", "'conv_4'", "'conv_8'"), None),
    ],
)  # fmt: skip
def test_layers_count_by_what_they_are(layers: tuple[str, ...], resolved: list[str] | None) -> None:
    runs = reconstructions(layers=layers)
    if resolved:
        of_layer = dict(zip(layers, resolved, strict=True))
        runs.runs["config.content_layer"] = runs.runs["content_layer"].map(of_layer)
    for claim in CLAIMS:
        assert answer(NAME, claim, runs).verdict == R


def test_a_list_of_layers_has_no_depth_and_does_not_count() -> None:
    runs = reconstructions(psnr=(*FALLING, 12), layers=(*LAYERS, "[conv_1,conv_8]"), spread=0.2)
    for claim in CLAIMS:
        assert answer(NAME, claim, runs).verdict == R


def test_the_pixels_themselves_are_no_early_layer() -> None:
    given = answer(
        NAME, "early_layers_give_the_image_back",
        reconstructions((100, 20, 19, 18), layers=("input", "conv_1", "conv_4", "conv_8")),
    )  # fmt: skip
    assert given.verdict == N
    assert "conv_1" in given.text


def test_deep_claims_are_held_at_the_layer_nearest_to_the_eighth() -> None:
    layers = ("conv_1", "conv_5", "conv_9", "conv_16")
    text = answer(NAME, "deep_layers_lose_detail", reconstructions(layers=layers)).text
    assert "at conv_9" in text
    relu = reconstructions(layers=("relu1_1", "relu2_1", "relu3_1", "relu5_1"))
    assert "relu_5" in answer(NAME, "deep_layers_keep_edges", relu).text


def test_a_failed_reconstruction_has_not_lost_detail() -> None:
    runs = reconstructions((38, 33, 26, 8), edges=0.0)
    deep = runs.runs["content_layer"] == "conv_8"
    runs.runs.loc[deep, "content_absent"] = "its content is not to be found"
    lost, edges = (answer(NAME, c, runs) for c in ("deep_layers_lose_detail",
                                                   "deep_layers_keep_edges"))  # fmt: skip
    assert lost.verdict == C
    assert "its content is not to be found" in lost.text
    assert edges.verdict == N
