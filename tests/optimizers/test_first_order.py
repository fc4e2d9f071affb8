"""Adam and gradient descent on pixels."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from nst.optimizers.first_order import adam, sgd
from tests.optimizers.problems import Bowls, Cliff, make, run, start, totals

every_first_order = pytest.mark.parametrize("name", ["adam", "sgd", "sgd with momentum"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e12])
@every_first_order
def test_they_go_back_to_the_best_image_when_the_loss_explodes(name: str, value: float) -> None:
    steps = run(make(name, Cliff([True, False], value), start(2)), 60)
    cursed, free = steps[-1].restarts.tolist()
    assert torch.isfinite(totals(steps)).all()
    assert all(torch.isfinite(step.images).all() for step in steps)
    assert free == 0
    assert cursed > 0
    assert totals(steps)[-1, 0] < 0.5 * totals(steps)[0, 0]


@every_first_order
def test_a_neighbors_trouble_changes_nothing(name: str) -> None:
    trouble = run(make(name, Cliff([True, False], float("nan")), start(2)), 30)
    alone = run(make(name, Bowls([11]), start(1)), 30)
    for step, undisturbed in zip(trouble, alone, strict=True):
        torch.testing.assert_close(step.images[1:], undisturbed.images, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("name", "lr"), [("adam", 100.0), ("sgd", 30.0)])
def test_a_learning_rate_far_too_large_is_shortened(name: str, lr: float) -> None:
    steps = run(make(name, Bowls([4, 5]), start(2), lr=lr), 80)
    curves = totals(steps)
    assert (steps[-1].restarts > 0).all()
    assert (curves <= 5 * curves[0]).all()
    assert (curves[-1] < 0.7 * curves[0]).all()


class Scripted:
    """A loss that is the same for every image: the next of some numbers; the gradient is 1."""

    def __init__(self, *losses: float):
        self.losses = iter(losses)

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        loss = torch.tensor([[next(self.losses)]], dtype=images.dtype)
        return loss, torch.ones_like(images)


def test_below_the_starts_loss_it_may_rise_a_hundredfold() -> None:
    """As Adam's does in a reconstruction whose loss nears 0; it falls again by itself."""
    steps = run(adam(Scripted(1.0, 1e-3, 0.9, 0.5, 1e-4), torch.zeros(1, 1, 1, 1), lr=0.01), 4)
    assert totals(steps)[:, 0].tolist() == pytest.approx([1.0, 1e-3, 0.9, 0.5, 1e-4])
    assert steps[-1].restarts.item() == 0


def test_up_to_the_divergence_factor_it_may_rise_above_the_starts_loss() -> None:
    losses = Scripted(1.0, 9.0, 1.0, 11.0, 1.0)
    steps = run(adam(losses, torch.zeros(1, 1, 1, 1), lr=0.01, divergence_factor=10), 4)
    assert totals(steps)[:, 0].tolist() == [1.0, 9.0, 1.0, 1.0, 1.0]
    assert [step.restarts.item() for step in steps] == [0, 0, 0, 1, 1]
    assert steps[3].images.item() == 0.0


@pytest.mark.parametrize(
    ("losses", "is_best"),
    [((1.0, 0.1, 0.19), False), ((1.0, 0.1, 0.21), True), ((1.0, 0.9, 1.1), True)],
    ids=["near the best", "twice the best", "above the start"],
)
def test_it_ends_with_the_last_image_unless_the_best_is_far_better(
    losses: tuple[float, ...], is_best: bool
) -> None:
    steps = run(adam(Scripted(*losses), torch.zeros(1, 1, 1, 1), lr=0.01), 2)
    assert totals(steps)[-1].item() == pytest.approx(losses[1 if is_best else 2])
    assert torch.equal(steps[2].images, steps[1].images) == is_best


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
