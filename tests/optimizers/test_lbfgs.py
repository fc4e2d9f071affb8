"""The batched L-BFGS against torch's own, and where it goes back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nst.backbones.network import Backbone
from nst.gradients.engine import by_autograd, engine
from nst.losses.gram import Gram
from nst.losses.objective import Objective
from nst.losses.terms import weighted_terms
from nst.losses.total_variation import TotalVariation
from nst.optimizers.lbfgs import LBFGS, CurvaturePairs
from nst.pictures import starts
from nst.pictures.samples import load_image
from tests.optimizers.problems import Bowls, Cliff, run, start, totals


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
    optimizer = LBFGS(Bowls([7]), start(1), lr=lr, history_size=history, divergence_factor=1e9)
    ours = totals(run(optimizer, steps))[:, 0].tolist()
    theirs = torch_lbfgs(Bowls([7]), steps, history, lr)
    assert len(ours) == len(theirs) == steps + 1
    assert ours[:-1] == pytest.approx(theirs[:-1], rel=1e-6)
    assert ours[-1] == pytest.approx(min(theirs), rel=1e-6)  # the last is the best seen


def two_loop(pairs: list[tuple[Tensor, Tensor]], gradient: Tensor, scale: float) -> Tensor:
    """Nocedal & Wright 2006, algorithm 7.4, from the initial matrix scale · sᵀy / yᵀy."""
    q, alphas = gradient.clone(), []
    for s, y in reversed(pairs):
        alphas.append(s.dot(q) / s.dot(y))
        q -= alphas[-1] * y
    s, y = pairs[-1]
    q *= scale * s.dot(y) / y.dot(y)
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        q += (alpha - y.dot(q) / s.dot(y)) * s
    return -q


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_direction_is_that_of_the_two_loop_recursion(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    gradient, *moves = torch.randn(5, 40, generator=generator, dtype=torch.float64)
    curvature = torch.linspace(1, 5, 40, dtype=torch.float64)  # of a bowl
    history, pairs = CurvaturePairs(gradient[None], 3, scale), []
    for s in moves:
        gradient = gradient + curvature * s
        history.append(s[None], gradient[None])
        pairs.append((s, curvature * s))
    torch.testing.assert_close(history.direction()[0], two_loop(pairs[-3:], gradient, scale))


def test_it_ends_with_the_best_image_so_far() -> None:
    """The steps are too long here, so that the last ones are not the best."""
    problem = Bowls([4, 5])
    steps = run(LBFGS(problem, start(2), lr=1.9, divergence_factor=1e9), 30)
    curves = totals(steps)
    assert torch.equal(curves[-1], curves.min(0).values)
    assert (curves[-2] > curves[-1]).any()
    torch.testing.assert_close(problem(steps[-1].images)[0], steps[-1].terms)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e12])
def test_it_goes_back_to_the_best_image_when_the_loss_explodes(value: float) -> None:
    steps = run(LBFGS(Cliff([True, False], value), start(2), divergence_factor=10.0), 40)
    curves = totals(steps)
    assert torch.isfinite(curves).all()
    assert all(torch.isfinite(step.images).all() for step in steps)
    assert (curves <= 10 * curves.cummin(0).values).all()
    cursed, free = steps[-1].restarts.tolist()
    assert cursed > 0
    assert free == 0
    assert curves[-1, 0] < 0.5 * curves[0, 0]  # it still gets down


def test_a_neighbors_trouble_changes_nothing() -> None:
    trouble = run(LBFGS(Cliff([True, False], float("nan")), start(2)), 30)
    alone = run(LBFGS(Bowls([11]), start(1)), 30)
    torch.testing.assert_close(trouble[-1].images[1:], alone[-1].images, rtol=1e-9, atol=1e-11)


def test_at_the_minimum_nothing_moves() -> None:
    def bowl(images: Tensor) -> tuple[Tensor, Tensor]:
        away = images - 0.5
        return away.square().flatten(1).sum(1, keepdim=True), 2 * away

    steps = run(LBFGS(bowl, torch.full((1, 3, 4, 4), 0.5)), 150)
    assert torch.equal(steps[-1].images, steps[0].images)
    assert steps[-1].restarts.item() == 0


def test_steps_that_are_too_long_are_shortened() -> None:
    """A step length far beyond the problem's own still gets down, and the best image is last."""
    steps = run(LBFGS(Bowls([4]), start(1), lr=300.0, divergence_factor=2.0), 80)
    curve = totals(steps)[:, 0]
    assert steps[-1].restarts.item() > 0
    assert curve[-1] == curve.min()
    assert curve[-1] < 0.5 * curve[0]


@pytest.mark.parametrize("steepness", [1e3, 1e6, 1e10])
def test_a_first_step_that_is_too_long_is_shortened(steepness: float) -> None:
    """In a narrow valley even 1/|g|₁ leads up; the start is at its bottom, the way is along it."""

    def valley(images: Tensor) -> tuple[Tensor, Tensor]:
        x, away = (
            images.flatten(1)[:, :1],
            images.flatten(1)[:, 1:] - 1e-3 * images.flatten(1)[:, :1],
        )
        value = (1 - x).square() + steepness * away.square().sum(1, keepdim=True)
        slope = torch.cat(
            (-2 * (1 - x) - 2e-3 * steepness * away.sum(1, keepdim=True), 2 * steepness * away), 1
        )
        return value, slope.view_as(images)

    images = torch.zeros(1, 1, 1, 24, dtype=torch.float64)
    steps = run(LBFGS(valley, images), 60)
    assert totals(steps)[-1].item() < 0.9 * totals(steps)[0].item()


def test_where_the_loss_curves_downwards_steps_grow() -> None:
    """On −|x|² no pair has positive curvature; from 1/|g|₁ the first steps would be tiny."""

    def hill(images: Tensor) -> tuple[Tensor, Tensor]:
        return 1000 - images.square().flatten(1).sum(1, keepdim=True), -2 * images

    steps = run(LBFGS(hill, torch.full((1, 3, 8, 8), 0.01), clamp=True), 12)
    assert steps[-1].images.mean() > 0.9


def test_a_real_batch_never_mixes(mini: Backbone, picture: Tensor) -> None:
    """Through the network, in float32: four seeds at once give the four pictures of four runs."""
    spec = weighted_terms({"conv_4": 1.0}, {"relu_1": 0.5, "relu_5": 0.5}, style_weight=10.0)
    objective = Objective.of_pictures(mini, spec, picture, picture.flip(3))
    images = starts.noise([0, 1, 2, 3], (24, 32), amplitude=0.05)

    def end(images: Tensor) -> Tensor:
        return run(LBFGS(lambda x: by_autograd(objective, x), images), 8)[-1].images

    alone = torch.cat([end(images[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(end(images), alone, rtol=0, atol=2e-3)


@pytest.mark.slow
def test_an_image_that_diverges_again_and_again_gets_away(mini: Backbone) -> None:
    """Each round from the same best image with the same steps would never end."""
    style = load_image("waves", 64)
    spec = weighted_terms(
        {},
        {"conv_1": 0.5, "conv_2": 0.5},
        [(TotalVariation(), 0.0)],
        style=Gram("relative"),
        style_weight=300.0,
    )
    objective = Objective.of_pictures(mini, spec, style=style)
    optimizer = LBFGS(engine(objective), starts.noise([0], (64, 64)), clamp=True)
    steps = run(optimizer, 60)
    assert totals(steps)[-1] < 0.01 * totals(steps)[0]
