"""The benchmark compares like with like, and counts right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from experiments.benchmark import page as performance_page
from experiments.benchmark.__main__ import main
from experiments.benchmark.baseline import Baseline, PlainVGG
from experiments.benchmark.machine import higher, operations, seconds
from experiments.benchmark.measure import iterations, overhead
from experiments.benchmark.plan import Plan
from nst.backbones.network import Backbone
from nst.losses.objective import Objective
from nst.losses.terms import weighted_terms

LAYERS = {"relu_1": 100.0, "relu_3": 50.0}


@pytest.fixture
def larger(picture: Tensor) -> Tensor:
    """Large enough for five pools: (1, 3, 48, 64)."""
    return torch.nn.functional.interpolate(picture, scale_factor=2, mode="bilinear")


def test_the_baseline_has_our_losses(mini: Backbone, larger: Tensor) -> None:
    picture, style = larger, larger.flip(3)[..., :40]
    image = picture * 0.8 + 0.1
    ours = Objective.of_pictures(mini, weighted_terms({"relu_4": 1.0}, LAYERS), picture, style)
    for last in (None, "relu_4"):
        theirs = Baseline(PlainVGG(mini, last), picture, style, "relu_4", LAYERS)
        assert float(theirs.loss(image)) == pytest.approx(float(ours(image).sum()), rel=1e-4)


def test_one_step_of_the_baseline_is_one_evaluation(mini: Backbone, larger: Tensor) -> None:
    theirs = Baseline(PlainVGG(mini), larger, larger.flip(3), "relu_4", LAYERS)
    for _ in range(8):
        theirs.step()
    assert len(theirs.losses) == 8
    assert theirs.losses[-1] < theirs.losses[0]


def test_the_baselines_network_is_plain_and_a_copy(mini: Backbone) -> None:
    plain = PlainVGG(mini, "relu_2")
    assert list(plain.chain) == ["conv_1", "relu_1", "conv_2", "relu_2"]
    weights = [p for p in plain.parameters() if p.ndim == 4]
    assert all(w.is_contiguous() for w in weights)
    assert weights[0].data_ptr() != next(mini.parameters()).data_ptr()


def test_operations_by_hand(mini: Backbone) -> None:
    convolutions = 9 * (3 * 16 + 16 * 16) * 8 * 8 + 9 * 16 * 32 * 4 * 4
    grams = 16 * 16 * 8 * 8 + 32 * 32 * 4 * 4
    assert operations(mini, 8, set(), {"relu_1", "relu_3"}) == 4 * convolutions + 4 * grams
    assert operations(mini, 8, {"relu_3"}, {"relu_1"}) == 4 * convolutions + 4 * 16 * 16 * 8 * 8


def test_the_higher_of_two_readings() -> None:
    assert higher({"a": 1.0, "b": {"c": 5.0}}, {"a": 2.0, "b": {"c": 4.0}}) == {
        "a": 2.0,
        "b": {"c": 5.0},
    }


def test_times_are_taken_until_they_are_enough() -> None:
    assert len(seconds(lambda: None, least=0.0)) == 2
    assert len(seconds(lambda: None, least=100.0, most=7)) == 7


def made_up_results() -> dict[str, Any]:
    """One measurement of each part, and of iterations what the plot and the growth need."""
    row = {"backbone": "vgg19", "precision": "bfloat16", "batch": 1, "gflop": 10.0}
    timed = [{**row, "size": size, "seconds": size**2 / 1e5} for size in (64, 128)]
    timed += [{**r, "backbone": "vgg19_mini"} for r in timed]
    timed += [{**r, "precision": "float32"} for r in timed]
    return {
        "machine": "abacus", "threads": 1, "versions": {"torch": torch.__version__},
        "ceilings": {
            "copy": 5.0,
            "float32": {"matmul": 50.0, "convolution": 40.0},
            "bfloat16": {"matmul": 90.0, "convolution": 100.0},
        },
        "versus": [
            {
                "size": 64, "baseline": "cut", "precision": "bfloat16", "seconds_baseline": 2.0,
                "seconds_ours": 1.0, "ratio": 2.0, "low": 1.9, "high": 2.2,
            }
        ],
        "same_loss": [
            {
                "backbone": "vgg19_mini", "size": 64, "loss": 1.0, "reached": 0.99, "ratio": 3.0,
                "baseline_steps": 9, "baseline_seconds": 3.0, "steps": 8, "seconds": 1.0,
                "fell_back": None,
            }
        ],
        "memory": [
            {"size": 64, "kind": kind, "megabytes": mb}
            for kind, mb in (("baseline", 40.0), ("float32", 20.0), ("bfloat16", 10.0))
        ],
        "overhead": [
            {
                "logger": "wandb", "size": 64, "steps": 9, "loop": 2.0, "optimiser": 1.96,
                "share": 0.02,
            }
        ],
        "iterations": timed,
    }  # fmt: skip


def test_the_page_is_written_between_its_marks(tmp_path: Path) -> None:
    results = made_up_results()
    page = tmp_path / "performance.md"
    page.write_text(
        "# Speed\n\nBy hand.\n\n<!-- measured -->\nold\n<!-- end of what was measured -->\nEnd.\n"
    )
    for _ in range(2):
        text = performance_page.write(results, page)
    written = page.read_text()
    assert written.startswith("# Speed\n\nBy hand.")
    assert written.endswith("\nEnd.\n")
    assert "old" not in written
    assert written.count(text) == 1
    assert "**2.00** (1.90–2.20)" in text
    assert "pixels^1.00" in text
    assert "10 (0.25)" in text
    assert "2.0%" in text
    assert (tmp_path / "images" / "performance.png").stat().st_size < 200_000
    assert performance_page.write(results, None) == text


@pytest.mark.slow
def test_overhead_is_a_share_of_the_loop() -> None:
    rows = overhead(Plan(overhead=(32, 2)))
    assert [row["logger"] for row in rows] == ["none", "wandb"]
    assert all(0 < row["share"] < 1 for row in rows)


def test_an_iteration_is_measured() -> None:
    plan = Plan(sizes=(32,), batches=(1,), networks=("vgg19_mini",), precisions=("float32",))
    (row,) = iterations(plan)
    assert row["seconds"] > 0
    assert (row["backbone"], row["size"], row["batch"]) == ("vgg19_mini", 32, 1)


def test_the_page_is_written_anew_from_results_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.json"
    machine = {"machine": "abacus", "threads": 1, "versions": {"torch": "2"}}
    share = {"logger": "none", "size": 64, "steps": 9, "loop": 2.0, "optimiser": 1.5, "share": 0.25}
    results.write_text(json.dumps({**machine, "overhead": [share]}))
    page = tmp_path / "page.md"
    command = f"benchmark --only-page --results {results} --page {page}"
    monkeypatch.setattr("sys.argv", command.split())
    main()
    output = capsys.readouterr()
    assert "| none | 64² | 9 | 2.00 | 1.50 | 25.0% |" in output.out
    assert "lacks iterations, memory, same_loss, versus" in output.err + output.out
    assert not page.exists()
