"""The losses of real runs, weighted and before their weights, in record, trace and DataFrame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nst.config import Config
from nst.losses.terms import terms_from_config
from nst.runs.context import Context
from nst.runs.job import run_job, run_jobs
from nst.runs.recording.read import load_runs, load_trace
from tests.conftest import Compose

LAYERS = ("content_layer=conv_4", "style_layers=[relu_1,relu_3]")


def with_weights(record: dict[str, Any]) -> dict[str, float]:
    """The record's kinds before their weights, times the weights of its config."""
    loss = record["config"]["loss"]
    weights = {kind: loss[f"{kind}_weight"] for kind in ("content", "style", "tv")}
    weights |= {name: each["weight"] for name, each in loss["pixels"].items() if name != "tv"}
    return {kind: weights[kind] * value for kind, value in record["losses_unweighted"].items()}


@pytest.mark.parametrize(
    "overrides",
    [
        ("loss.style_weight=30", "loss.content_weight=2", "loss.tv_weight=0.5"),
        ("loss.style_layer_weights=[0.2,3]", "loss.content_layer_weights=[0.7]"),
        ("loss.style_layer_weights=[0,3]", "loss.style_weight=1e5", "loss=gatys2015"),
        ("loss=wasserstein2",),
    ],
)
def test_unweighted_times_weight_is_weighted(
    composed: Compose, run_folder: Path, overrides: tuple[str, ...]
) -> None:
    cfg = composed(*LAYERS, "init=noise", "optimizer.steps=2", *overrides)
    record = run_job(cfg, Context(run_folder))
    spec, trace = terms_from_config(cfg), load_trace(run_folder)
    for name, weight in zip(spec.names, spec.weights, strict=True):
        assert record["terms_unweighted"][name] > 0
        assert record["terms"][name] == pytest.approx(weight * record["terms_unweighted"][name])
        own = trace[f"{name}_unweighted"]
        assert own.isna().all() == (weight == 0)
        assert np.allclose(weight * own.fillna(0), trace[name], rtol=1e-6, atol=0)
    for kind, value in with_weights(record).items():
        assert value == pytest.approx(record["losses"][kind]), kind
    assert np.allclose(
        cfg.loss.style_weight * trace["style_unweighted"], trace["style"], rtol=1e-6, atol=0
    )


def test_a_preset_with_a_list_of_layer_weights(composed: Compose, run_folder: Path) -> None:
    cfg = composed("preset=fastai_lesson8", "backbone=vgg16_mini", "optimizer.steps=1", "size=32")
    record = run_job(cfg, Context(run_folder))
    own = [v for name, v in record["terms_unweighted"].items() if name.startswith("style/")]
    expected = sum(w * v for w, v in zip([0.05, 0.2, 0.2, 0.25, 0.3], own, strict=True))
    assert record["losses_unweighted"]["style"] == pytest.approx(expected)
    weighted = cfg.loss.style_weight * record["losses_unweighted"]["style"]
    assert record["losses"]["style"] == pytest.approx(weighted)


def sweep(composed: Compose, key: str, *overrides: str) -> list[Config]:
    """The same start with four weights, one of them 0."""
    return [composed(*LAYERS, *overrides, f"{key}={weight}") for weight in (0, 0.3, 1, 4e4)]


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("loss.style_weight", "style"),
        ("loss.content_weight", "content"),
        ("loss.tv_weight", "tv"),
        ("loss.pixels.pixel_statistics.weight", "pixel_statistics"),
    ],
)
@pytest.mark.slow
def test_a_sweep_over_a_weight_is_compared_before_the_weights(
    composed: Compose, tmp_path: Path, key: str, kind: str
) -> None:
    """At the start, which all share; what weighs 0 is in the record and not in the trace."""
    cfgs = sweep(composed, key, "init=noise", "optimizer.steps=0")
    records = [run_job(cfg, Context(tmp_path / str(i))) for i, cfg in enumerate(cfgs)]
    for record in records:
        assert record["terms_unweighted"] == records[0]["terms_unweighted"]
        assert record["losses_unweighted"] == records[0]["losses_unweighted"]
    assert len({record["losses"][kind] for record in records}) == 4
    assert records[0]["losses"][kind] == 0
    assert records[0]["losses_unweighted"][kind] > 0
    starts = [load_trace(tmp_path / str(i))[f"{kind}_unweighted"].item() for i in range(4)]
    assert np.isnan(starts[0])
    assert starts[1:] == pytest.approx([starts[1]] * 3, rel=1e-6)


@pytest.mark.slow
def test_in_a_batch_each_run_has_its_own_weights(composed: Compose, tmp_path: Path) -> None:
    cfgs = sweep(composed, "loss.style_weight", "init=noise", "optimizer.steps=2")
    cfgs += sweep(composed, "loss.tv_weight", "loss.style_layer_weights=[0,2]", "optimizer.steps=2")
    run_jobs([(cfg, Context(tmp_path / f"batch/{i}")) for i, cfg in enumerate(cfgs)])
    for i, cfg in enumerate(cfgs):
        alone = run_job(cfg, Context(tmp_path / f"alone/{i}"))
        batch = load_runs(tmp_path / f"batch/{i}").iloc[0]
        assert batch["batch"] == len(cfgs)
        for family in ("losses_unweighted", "terms_unweighted"):
            for name, value in alone[family].items():
                assert batch[f"{family}.{name}"] == pytest.approx(value, rel=2e-3), name
        traces = [load_trace(tmp_path / side / str(i)) for side in ("batch", "alone")]
        a, b = (trace.filter(like="_unweighted").to_numpy(dtype=float) for trace in traces)
        assert np.allclose(a, b, rtol=2e-3, equal_nan=True)


def test_a_table_of_runs_has_them_by_itself(composed: Compose, tmp_path: Path) -> None:
    for i, cfg in enumerate(sweep(composed, "loss.style_weight", "optimizer.steps=0")):
        run_job(cfg, Context(tmp_path / str(i)))
    run_job(composed("task=content", "optimizer.steps=0"), Context(tmp_path / "4"))
    table = load_runs(tmp_path)
    style = table["losses_unweighted.style"]
    assert style.dtype == float
    assert style[:4].tolist() == [style[0]] * 4
    assert np.isnan(style[4])
    assert table["terms_unweighted.style/relu_3"].notna().sum() == 4
