"""Adam and gradient descent on pixels."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from nst.optimizers.first_order import adam, sgd
from tests.optimizers.problems import Bowls, Cliff, make, run, start, totals


@pytest.mark.parametrize("name", ["adam", "sgd", "sgd with momentum"])
def test_they_survive_what_is_not_finite(name: str) -> None:
    steps = run(make(name, Cliff([True, False], float("nan")), start(2)), 60)
    cursed, free = steps[-1].restarts.tolist()
    assert torch.isfinite(totals(steps)).all()
    assert free == 0
    assert cursed > 0
    assert totals(steps)[-1, 0] < 0.5 * totals(steps)[0, 0]


def test_adam_takes_shorter_steps_after_a_late_divergence() -> None:
    calls = 0

    def slope(images: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal calls
        calls += 1
        value = torch.nan if calls == 400 else 1.0
        return 10 + images.flatten(1).sum(1, keepdim=True) * value, torch.ones_like(images)

    steps = run(adam(slope, torch.zeros(1, 1, 1, 1), lr=0.01), 420)
    positions = [step.images.item() for step in steps]
    moves = [a - b for a, b in itertools.pairwise(positions)]
    assert moves[300] == pytest.approx(0.01, rel=1e-3)
    assert moves[398] == 0.0  # back to the best, which was the last
    assert all(0 < move <= 0.0051 for move in moves[399:])


def test_decay_shrinks_the_step() -> None:
    def slope(images: Tensor) -> tuple[Tensor, Tensor]:
        return images.flatten(1).sum(1, keepdim=True), torch.ones_like(images)

    optimizer = sgd(slope, torch.zeros(1, 1, 1, 1), lr=1.0, decay_rate=0.5, decay_steps=1)
    positions = [step.images.item() for step in run(optimizer, 3)]
    assert positions == pytest.approx([0.0, -1.0, -1.5, -1.75])


def test_momentum_is_torchs() -> None:
    ours = totals(run(make("sgd with momentum", Bowls([3]), start(1)), 20))[:, 0]
    x = start(1).requires_grad_()
    reference, problem, seen = torch.optim.SGD([x], lr=0.05, momentum=0.8), Bowls([3]), []
    for _ in range(21):
        terms, x.grad = problem(x)
        seen.append(terms.sum())
        reference.step()
    torch.testing.assert_close(ours, torch.stack(seen))


def test_adam_is_torchs() -> None:
    ours = totals(run(adam(Bowls([3]), start(1), lr=0.05), 20))[:, 0]
    x = start(1).requires_grad_()
    reference, problem, seen = torch.optim.Adam([x], lr=0.05), Bowls([3]), []
    for _ in range(21):
        terms, x.grad = problem(x)
        seen.append(terms.sum())
        reference.step()
    torch.testing.assert_close(ours, torch.stack(seen))
