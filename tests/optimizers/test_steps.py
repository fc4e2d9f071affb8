"""What holds for every optimiser: one evaluation a step, images apart, a state to go on from."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch

import nst
from nst.optimizers.from_config import make_optimizer
from nst.optimizers.steps import PixelOptimizer, iterate
from tests.optimizers.problems import NAMES, Bowls, Cliff, make, run, start, totals

every_optimizer = pytest.mark.parametrize("name", NAMES)


@every_optimizer
def test_four_images_are_four_runs_of_one(name: str) -> None:
    def images(seeds: list[int]) -> torch.Tensor:
        steps = run(make(name, Bowls(seeds), start(len(seeds))), 25)
        return torch.stack([step.images for step in steps], 1)  # (N, steps + 1, …)

    together = images([1, 2, 3, 4])
    alone = torch.cat([images([seed]) for seed in (1, 2, 3, 4)])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-11)


@every_optimizer
def test_one_step_is_one_evaluation(name: str) -> None:
    problem = Bowls([3])
    steps = run(make(name, problem, start(1)), 7)
    assert [step.index for step in steps] == list(range(8))
    assert problem.calls == 8


@every_optimizer
def test_steps_hold_the_images_that_were_evaluated(name: str) -> None:
    problem = Bowls([5, 6])
    for step in run(make(name, problem, start(2)), 6):
        torch.testing.assert_close(problem(step.images)[0], step.terms)


@every_optimizer
def test_the_start_is_left_as_it_is(name: str) -> None:
    images = start(1)
    run(make(name, Bowls([5]), images), 6)
    assert torch.equal(images, start(1))


@every_optimizer
def test_no_steps_are_the_start(name: str) -> None:
    (only,) = run(make(name, Bowls([5]), start(1)), 0)
    assert torch.equal(only.images, start(1))


@every_optimizer
def test_clamping_keeps_every_step_in_range(name: str) -> None:
    problem = Bowls([8])
    problem.centers += 2  # the minimum lies outside
    steps = run(make(name, problem, start(1), lr=0.5, clamp=True), 30)
    for step in steps:
        assert step.images.min() >= 0
        assert step.images.max() <= 1
    assert totals(steps)[-1, 0] < totals(steps)[0, 0]


# --- the state ----------------------------------------------------------------------------------


def saved(optimizer: PixelOptimizer) -> dict[str, Any]:
    """The state as a file keeps it."""
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    state: dict[str, Any] = torch.load(file, weights_only=True)
    return state


@pytest.mark.parametrize("diverges", [False, True])
@every_optimizer
def test_ten_steps_are_four_and_six_from_a_saved_state(name: str, diverges: bool) -> None:
    """To the last bit, for a batch of two, in a fresh object that began elsewhere."""

    def fresh(images: torch.Tensor) -> PixelOptimizer:
        problem = Cliff([True, False], float("nan")) if diverges else Bowls([1, 2])
        return make(name, problem, images)

    whole = run(fresh(start(2)), 10)
    before = fresh(start(2))
    first = [before.step() for _ in range(5)]  # the start and four updates
    after = fresh(start(2) + 0.1)
    after.load_state_dict(saved(before))
    rest = run(after, 10)
    assert [step.index for step in rest] == [5, 6, 7, 8, 9, 10]
    for step, expected in zip([*first, *rest], whole, strict=True):
        assert torch.equal(step.images, expected.images)
        assert torch.equal(step.terms, expected.terms)
        assert torch.equal(step.restarts, expected.restarts)


@every_optimizer
def test_what_goes_on_from_a_state_leaves_its_owner_alone(name: str) -> None:
    one, other, undisturbed = (make(name, Bowls([1]), start(1)) for _ in range(3))
    run(one, 3)
    other.load_state_dict(one.state_dict())
    run(other, 10)
    rest, expected = run(one, 10), run(undisturbed, 10)[4:]
    for step, alone in zip(rest, expected, strict=True):
        assert torch.equal(step.images, alone.images)


@every_optimizer
def test_a_state_of_another_shape_is_refused(name: str) -> None:
    optimizer = make(name, Bowls([1, 2]), start(2))
    state = saved(make(name, Bowls([1]), start(1)))
    with pytest.raises(ValueError, match=r"expected the shape .*2.*, not .*1"):
        optimizer.load_state_dict(state)


@every_optimizer
def test_a_state_of_other_names_is_refused_and_changes_nothing(name: str) -> None:
    optimizer, undisturbed = (make(name, Bowls([1]), start(1)) for _ in range(2))
    run(optimizer, 3)
    run(undisturbed, 3)
    state = saved(make(name, Bowls([1]), start(1)))
    for key in state:
        for wrong in ({**state, key + "s": 1}, {k: state[k] for k in state if k != key}):
            with pytest.raises(ValueError, match="expected the state"):
                optimizer.load_state_dict(wrong)
    assert torch.equal(optimizer.step().images, undisturbed.step().images)


def test_a_state_of_another_optimizer_is_refused() -> None:
    state = saved(make("adam", Bowls([1]), start(1)))
    with pytest.raises(ValueError, match="expected the state"):
        make("lbfgs", Bowls([1]), start(1)).load_state_dict(state)


# --- from a config ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lbfgs", "adam", "sgd"])
def test_a_config_makes_its_optimizer(name: str) -> None:
    cfg = nst.compose(f"optimizer={name}", "optimizer.clamp=false").optimizer
    optimizer = make_optimizer(cfg, Bowls([1]), start(1), steps=5)
    steps = list(iterate(optimizer, 5))
    assert totals(steps)[-1] < totals(steps)[0]


def test_a_configs_options_reach_the_optimizer() -> None:
    overrides = ("optimizer=sgd", "optimizer.lr=0.05", "optimizer.momentum=0.8")
    more = ("optimizer.decay_rate=1", "optimizer.clamp=false")
    cfg = nst.compose(*overrides, *more).optimizer
    by_config = run(make_optimizer(cfg, Bowls([1]), start(1), steps=5), 5)
    by_hand = run(make("sgd with momentum", Bowls([1]), start(1)), 5)
    assert torch.equal(by_config[-1].images, by_hand[-1].images)
