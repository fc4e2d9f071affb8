"""The batched L-BFGS against torch's own, and what a batch must never do."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from nst.backbones.network import Backbone
from nst.losses.objective import LossSpec, Objective
from nst.optimizers import optimize
from nst.pictures import starts as inits
from nst.pictures.samples import load_image


class Bowls:
    """N anisotropic quartic bowls, each with its own shape and centre: (N, 1, 1, D) → terms."""

    def __init__(self, seeds: list[int], d: int = 24):
        matrices, centres = [], []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            a = torch.randn(d, d, generator=generator, dtype=torch.float64)
            matrices.append(a @ a.T / d + 0.05 * torch.eye(d, dtype=torch.float64))
            centres.append(torch.rand(d, generator=generator, dtype=torch.float64))
        self.matrices, self.centres = torch.stack(matrices), torch.stack(centres)
        self.calls = 0

    def terms(self, images: Tensor) -> Tensor:
        x = images.flatten(1) - self.centres
        square = 0.5 * torch.einsum("nd,nde,ne->n", x, self.matrices, x)
        return torch.stack((square, 0.1 * images.flatten(1).pow(4).sum(1)), 1)

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.calls += 1
        images = images.detach().requires_grad_()
        terms = self.terms(images)
        (gradient,) = torch.autograd.grad(terms.sum(), images)
        return terms.detach(), gradient


def start(n: int, d: int = 24) -> Tensor:
    return torch.zeros(n, 1, 1, d, dtype=torch.float64)


def losses(steps: list[optimize.Step]) -> Tensor:
    return torch.stack([step.terms.sum(1) for step in steps])  # (steps + 1, N)


def torch_lbfgs(problem: Bowls, steps: int, history: int, lr: float) -> list[float]:
    x = start(1).requires_grad_()
    seen: list[float] = []
    reference = torch.optim.LBFGS(
        [x], lr=lr, max_iter=steps + 1, max_eval=steps + 1, history_size=history,
        tolerance_grad=0, tolerance_change=0,
    )  # fmt: skip

    def closure() -> Tensor:
        reference.zero_grad()
        total = problem.terms(x).sum()
        torch.autograd.backward(total)
        seen.append(total.item())
        return total

    reference.step(closure)  # type: ignore[no-untyped-call]
    return seen


@pytest.mark.parametrize("history", [1, 3, 10, 100])
@pytest.mark.parametrize("lr", [1.0, 0.5])
def test_one_image_takes_the_steps_of_torchs_lbfgs(history: int, lr: float) -> None:
    steps = 40
    run = optimize.lbfgs(
        Bowls([7]), start(1), steps=steps, history_size=history, lr=lr, scaling=1, guard=1e9
    )
    ours = losses(list(run))[:, 0].tolist()
    theirs = torch_lbfgs(Bowls([7]), steps, history, lr)
    assert len(ours) == len(theirs) == steps + 1
    assert ours[:-1] == pytest.approx(theirs[:-1], rel=1e-6)
    assert ours[-1] == pytest.approx(min(theirs), rel=1e-6)  # the last is the best seen


def two_loop(pairs: list[tuple[Tensor, Tensor]], gradient: Tensor, scaling: float) -> Tensor:
    """Nocedal & Wright 2006, algorithm 7.4, from the initial matrix scaling · sᵀy / yᵀy."""
    q, alphas = gradient.clone(), []
    for s, y in reversed(pairs):
        alphas.append(s.dot(q) / s.dot(y))
        q -= alphas[-1] * y
    s, y = pairs[-1]
    q *= scaling * s.dot(y) / y.dot(y)
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        q += (alpha - y.dot(q) / s.dot(y)) * s
    return -q


@pytest.mark.parametrize("scaling", [1.0, 2.0])
def test_the_initial_matrix_is_scaled(scaling: float) -> None:
    generator = torch.Generator().manual_seed(0)
    gradient, *moves = torch.randn(5, 40, generator=generator, dtype=torch.float64)
    curvature = torch.linspace(1, 5, 40, dtype=torch.float64)  # of a bowl
    history, seen = optimize.CurvaturePairs(gradient[None], 3, scaling), []
    for s in moves:
        gradient = gradient + curvature * s
        history.append(s[None], gradient[None])
        seen.append((s, curvature * s))
    torch.testing.assert_close(history.direction()[0], two_loop(seen[-3:], gradient, scaling))


@pytest.mark.parametrize("name", ["lbfgs", "adam", "sgd"])
def test_four_images_are_four_runs_of_one(name: str) -> None:
    def run(seeds: list[int]) -> Tensor:
        optimiser = getattr(optimize, name)
        options = {"lr": 0.05} if name != "lbfgs" else {"history_size": 5}
        steps = list(optimiser(Bowls(seeds), start(len(seeds)), steps=25, **options))
        return torch.stack([step.images for step in steps], 1)  # (N, steps + 1, …)

    together = run([1, 2, 3, 4])
    alone = torch.cat([run([seed]) for seed in (1, 2, 3, 4)])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-11)


def test_a_real_batch_never_mixes(mini: Backbone, picture: Tensor) -> None:
    """Through the network, in float32: four seeds at once give the four pictures of four runs."""
    spec = LossSpec({"conv_4": 1.0}, {"relu_1": 0.5, "relu_5": 0.5}, style_weight=10.0)
    objective = Objective(mini, spec, picture, picture.flip(3))
    generator = torch.Generator().manual_seed(0)
    starts = 0.5 + 0.05 * torch.randn(4, 3, 24, 32, generator=generator)

    def run(images: Tensor) -> Tensor:
        *_, last = optimize.lbfgs(objective.value_and_gradient, images, steps=8)
        return last.images

    together = run(starts)
    alone = torch.cat([run(starts[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=0, atol=2e-3)


def test_one_step_is_one_evaluation() -> None:
    for name in ("lbfgs", "adam", "sgd"):
        problem = Bowls([3])
        steps = list(getattr(optimize, name)(problem, start(1), steps=7, lr=0.1))
        assert [step.index for step in steps] == list(range(8))
        assert problem.calls == 8


def test_steps_hold_the_images_that_were_evaluated() -> None:
    for name in ("lbfgs", "adam", "sgd"):
        problem = Bowls([5, 6])
        for step in list(getattr(optimize, name)(problem, start(2), steps=6, lr=0.1)):
            torch.testing.assert_close(problem(step.images)[0], step.terms)


class Cliff:
    """A bowl with a hole: beyond 0.5 the loss is not a number, for the images marked so."""

    def __init__(self, cursed: list[bool], value: float):
        self.cursed, self.value = torch.tensor(cursed), value
        self.problem = Bowls([11] * len(cursed))

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        terms, gradient = self.problem(images)
        beyond = (images.flatten(1).abs().max(1).values > 0.5) & self.cursed
        terms = torch.where(beyond[:, None], self.value, terms)
        gradient = torch.where(beyond.view(-1, 1, 1, 1), self.value, gradient)
        return terms, gradient


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e12])
def test_guard_returns_to_the_best_image(value: float) -> None:
    steps = list(optimize.lbfgs(Cliff([True, False], value), start(2), steps=40, guard=10.0))
    curves = losses(steps)
    assert torch.isfinite(curves).all()
    assert all(torch.isfinite(step.images).all() for step in steps)
    assert (curves <= 10 * curves.cummin(0).values).all()
    cursed, free = steps[-1].restarts.tolist()
    assert cursed > 0
    assert free == 0
    assert curves[-1, 0] < 0.5 * curves[0, 0]  # it still gets down


def test_a_neighbours_trouble_changes_nothing() -> None:
    trouble = list(optimize.lbfgs(Cliff([True, False], float("nan")), start(2), steps=30))
    alone = list(optimize.lbfgs(Bowls([11]), start(1), steps=30))
    torch.testing.assert_close(trouble[-1].images[1:], alone[-1].images, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_first_order_optimisers_survive_what_is_not_finite(name: str) -> None:
    run = getattr(optimize, name)
    steps = list(run(Cliff([True, False], float("nan")), start(2), steps=60, lr=0.05))
    assert torch.isfinite(losses(steps)).all()
    assert steps[-1].restarts.tolist()[1] == 0
    assert steps[-1].restarts.tolist()[0] > 0
    assert losses(steps)[-1, 0] < 0.5 * losses(steps)[0, 0]


@pytest.mark.parametrize("name", ["lbfgs", "adam", "sgd"])
def test_clamping_keeps_every_step_in_range(name: str) -> None:
    problem = Bowls([8])
    problem.centres += 2  # the minimum lies outside
    steps = list(getattr(optimize, name)(problem, start(1), steps=30, lr=0.5, clamp=True))
    for step in steps:
        assert step.images.min() >= 0
        assert step.images.max() <= 1
    assert losses(steps)[-1, 0] < losses(steps)[0, 0]


def test_at_the_minimum_nothing_moves() -> None:
    def bowl(images: Tensor) -> tuple[Tensor, Tensor]:
        away = images - 0.5
        return away.square().flatten(1).sum(1, keepdim=True), 2 * away

    steps = list(optimize.lbfgs(bowl, torch.full((1, 3, 4, 4), 0.5), steps=150))
    assert torch.equal(steps[-1].images, steps[0].images)
    assert steps[-1].restarts.item() == 0


def test_the_guard_shortens_steps_that_are_too_long() -> None:
    """A step length far beyond the problem's own still gets down, and the best image is last."""
    steps = list(optimize.lbfgs(Bowls([4]), start(1), steps=80, lr=300.0, guard=2.0))
    curve = losses(steps)[:, 0]
    assert steps[-1].restarts.item() > 0
    assert curve[-1] == curve.min()
    assert curve[-1] < 0.5 * curve[0]


def test_where_the_loss_curves_downwards_steps_grow() -> None:
    """On −|x|² no pair has positive curvature; from 1/|g|₁ the first steps would be tiny."""

    def hill(images: Tensor) -> tuple[Tensor, Tensor]:
        return 1000 - images.square().flatten(1).sum(1, keepdim=True), -2 * images

    steps = list(optimize.lbfgs(hill, torch.full((1, 3, 8, 8), 0.01), steps=12, clamp=True))
    assert steps[-1].images.mean() > 0.9


def test_adam_takes_shorter_steps_after_a_late_trip() -> None:
    calls = 0

    def slope(images: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal calls
        calls += 1
        value = torch.nan if calls == 400 else 1.0
        return 10 + images.flatten(1).sum(1, keepdim=True) * value, torch.ones_like(images)

    run = optimize.adam(slope, torch.zeros(1, 1, 1, 1), steps=420, lr=0.01, clamp=False)
    positions = [step.images.item() for step in run]
    moves = [a - b for a, b in itertools.pairwise(positions)]
    assert moves[300] == pytest.approx(0.01, rel=1e-3)
    assert moves[398] == 0.0  # back to the best, which was the last
    assert all(0 < move <= 0.0051 for move in moves[399:])


def test_decay_shrinks_the_step() -> None:
    def slope(images: Tensor) -> tuple[Tensor, Tensor]:
        return images.flatten(1).sum(1, keepdim=True), torch.ones_like(images)

    run = optimize.sgd(
        slope, torch.zeros(1, 1, 1, 1), steps=3, lr=1.0, decay_rate=0.5, decay_steps=1
    )
    positions = [step.images.item() for step in run]
    assert positions == pytest.approx([0.0, -1.0, -1.5, -1.75])


def test_an_image_that_trips_the_guard_again_and_again_gets_away(mini: Backbone) -> None:
    """Each round from the same best image with the same steps would never end."""
    style = load_image("waves", 64)
    layers = {"conv_1": 0.5, "conv_2": 0.5}
    objective = Objective(mini, LossSpec({}, layers, style_weight=300.0), None, style)
    start = inits.noise([0], (64, 64), mean=0.5, scale=0.2, distribution="normal")
    *_, last = optimize.lbfgs(objective.value_and_gradient, start, steps=60, clamp=True)
    first = float(objective(start.clamp(0, 1)).sum())
    assert float(last.terms.sum()) < 0.01 * first
