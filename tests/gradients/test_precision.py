from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from nst.backbones import processor
from nst.backbones.load import load_backbone
from nst.gradients.engine import by_autograd, engine
from nst.gradients.precision import (
    CheckedBFloat16,
    Precision,
    choose_precision,
    has_fast_bfloat16,
)
from nst.losses.objective import Objective
from nst.losses.terms import weighted_terms
from nst.runs.context import Context
from nst.runs.job import run_job
from nst.runs.transfer import Transfer, precision_of
from tests.conftest import Compose

CPU = torch.device("cpu")


def test_auto_takes_what_this_processor_is_fast_at() -> None:
    chosen = choose_precision("auto", CPU, nears_zero=False)
    fast, why = has_fast_bfloat16(CPU)
    expected = bool({"avx512_bf16", "amx_bf16"} & processor.flags())
    assert (chosen.name == "bfloat16", chosen.checked, fast) == (expected,) * 3
    assert chosen.why == f"auto: {why}"
    assert "bf16" in why


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_what_is_configured_is_taken(name: str) -> None:
    for nears_zero in (True, False):
        chosen = choose_precision(name, CPU, nears_zero)
        assert chosen == Precision(name, "as configured", checked=False)
        assert chosen.dtype == getattr(torch, name)


@pytest.mark.parametrize(
    ("task", "nears_zero"), [("content", True), ("texture", True), ("transfer", False)]
)
def test_auto_is_exact_where_the_loss_nears_zero(
    task: str, nears_zero: bool, composed: Compose
) -> None:
    precision = precision_of(composed(f"task={task}"), CPU)
    assert ("nears 0" in precision.why) == nears_zero
    assert precision.name == "float32" or not nears_zero


def test_auto_keeps_apples_gpu_in_float32() -> None:
    assert choose_precision("auto", torch.device("mps"), nears_zero=False).name == "float32"


def flat(value: float) -> Tensor:
    return torch.full((2, 1), value)


def test_it_falls_back_and_says_so() -> None:
    calls: list[str] = []

    def fast(images: Tensor) -> tuple[Tensor, Tensor]:
        calls.append("fast")
        return flat(1.0 if calls.count("fast") < 60 else 1.05), images

    def exact(images: Tensor) -> tuple[Tensor, Tensor]:
        calls.append("exact")
        return flat(1.0), images

    checked = CheckedBFloat16(fast, exact)
    images = torch.ones(2, 3, 4, 4)
    for _ in range(120):
        checked(images)
    assert calls[:4] == ["exact"] * 3 + ["fast"]  # the first step is too small for 8 bits
    assert calls.count("fast") == 97
    assert calls[-20:] == ["exact"] * 20
    assert "from evaluation 100 on" in str(checked.fell_back)
    assert "5.0%" in str(checked.fell_back)


@pytest.mark.parametrize(("per_call", "falls_back"), [(0.997, True), (0.999, False)])
def test_rough_gradients_matter_while_the_loss_falls(per_call: float, falls_back: bool) -> None:
    """Another direction altogether, at the second comparison: 14 % lower than the first, or 5 %."""
    calls = 0

    def exact(images: Tensor) -> tuple[Tensor, Tensor]:
        return flat(per_call**calls), images

    def fast(images: Tensor) -> tuple[Tensor, Tensor]:
        return flat(per_call**calls), -images if calls > 60 else images

    checked = CheckedBFloat16(fast, exact)
    for _ in range(120):
        calls += 1
        checked(torch.ones(2, 3, 4, 4))
    assert (checked.fell_back is not None) == falls_back


def test_what_is_not_a_number_is_apart() -> None:
    images = torch.ones(2, 3, 4, 4)
    checked = CheckedBFloat16(lambda x: (flat(float("nan")), x), lambda x: (flat(1.0), x))
    for _ in range(50):
        terms, _ = checked(images)
    assert checked.fell_back is not None
    assert torch.isfinite(terms).all()


@pytest.mark.parametrize("backbone", ["vgg19_mini", "squeezenet1_0"])
@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_every_backbone_has_both(backbone: str, name: str, picture: Tensor) -> None:
    weights = "shipped" if backbone == "vgg19_mini" else "random"
    network = load_backbone(backbone, weights, "avg")
    spec = weighted_terms({"conv_1": 1.0}, {"relu_1": 1.0})
    objective = Objective.of_pictures(network, spec, picture, picture)
    half_network = network.in_precision(Precision(name, "").dtype)
    half = Objective.of_pictures(half_network, spec, picture, picture)
    images = picture.flip(2)
    terms, gradient = engine(half)(images)
    assert terms.dtype == gradient.dtype == torch.float32
    expected, exact = by_autograd(objective, images)
    torch.testing.assert_close(terms, expected, rtol=0.03, atol=1e-6)
    assert (gradient - exact).norm() < 0.1 * exact.norm()
    assert {p.dtype for p in network.parameters()} == {torch.float32}


@pytest.mark.slow
def test_a_transfer_in_bfloat16_ends_no_higher_than_float32_does(composed: Compose) -> None:
    def end(name: str) -> float:
        transfer = Transfer(composed(f"precision={name}", "size=64", "optimizer.steps=60"))
        *_, last = transfer.run()
        with torch.no_grad():
            return float(transfer.current.objectives.exact(last.images).sum())

    assert end("bfloat16") < 1.05 * end("float32")


def test_the_record_says_which_and_why(composed: Compose, run_folder: Path) -> None:
    cfg = composed("precision=bfloat16", "optimizer.steps=2")
    record = run_job(cfg, Context(run_folder))
    assert record["precision"] == {"name": "bfloat16", "why": "as configured", "fell_back": None}


def test_the_records_losses_are_float32s(composed: Compose, run_folder: Path) -> None:
    """The same picture, so the same losses to all digits, whatever the steps were made in."""
    overrides = ("optimizer.steps=0", "init=noise")
    half = run_job(composed("precision=bfloat16", *overrides), Context(run_folder))
    full = run_job(composed("precision=float32", *overrides), Context(run_folder))
    assert half["losses"] == full["losses"]
