from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nst.reports.sweeps import Sweep
from tests.experiments.studies.runs import (
    C,
    N,
    P,
    R,
    answer,
    noise,
    save,
    seeds,
    sweep_of,
    waves,
    without,
)

NAME = "texture_seeds"
OTHER, EQUAL = "seeds_give_other_pictures", "seeds_are_equally_like_the_style"
LIKE = (0.2, 0.21, 0.22)


def textures(
    folder: Path, pictures: list[np.ndarray], distances: tuple[float, ...] = LIKE
) -> Sweep:
    """A run for each picture, of seeds 0 and up."""
    for number, picture in enumerate(pictures):
        save(folder / str(number) / "image.png", picture)
    return sweep_of(
        seeds(len(pictures)),
        lambda cell: {
            "folder": str(folder / cell["seed"]),
            "style_distance": distances[int(cell["seed"])],
        },
        task="texture",
    )


def patches(shared: float = 0.0) -> list[np.ndarray]:
    """Patches of 8 × 8 pixels in other places for each seed, a part of them in the same."""
    rng = np.random.default_rng(0)
    same, *own = rng.normal(0, 60, (4, 8, 8, 3))
    mixed = [shared**0.5 * same + (1 - shared) ** 0.5 * each for each in own]
    return [np.kron(each, np.ones((8, 8, 1))) + 127.5 for each in mixed]


@pytest.mark.parametrize(
    ("pictures", "verdict"),
    [
        (patches(), R),
        (patches(0.55), P),
        (patches(0.9), N),
        ([waves() + noise(seed, 20) for seed in range(3)], N),
    ],
    ids=["elsewhere", "half in the same places", "nearly the same", "the same with other grain"],
)
def test_whether_seeds_give_other_pictures(
    pictures: list[np.ndarray], verdict: str, tmp_path: Path
) -> None:
    given = answer(NAME, OTHER, textures(tmp_path, pictures))
    assert given.verdict == verdict, given.text
    assert given.count == 3


@pytest.mark.parametrize(
    ("distances", "verdict"),
    [
        ((0.20, 0.21, 0.22), R),
        ((0.12, 0.20, 0.29), P),
        ((0.02, 0.02, 0.60), N),
        ((0.60, 0.61, 0.62), C),
    ],
)
def test_whether_seeds_are_equally_like_the_style(
    distances: tuple[float, ...], verdict: str, tmp_path: Path
) -> None:
    given = answer(NAME, EQUAL, textures(tmp_path, patches(), distances))
    assert given.verdict == verdict, given.text


@pytest.mark.parametrize("claim", [OTHER, EQUAL])
@pytest.mark.parametrize(
    ("pictures", "why"),
    [
        (patches()[:1], "pairs of one size"),
        (patches()[:2], "pairs of one size"),
        ([waves()] * 3, "two seeds gave the same picture"),
        ([waves(), waves(48), waves(40)], "pairs of one size"),
    ],
    ids=["one seed", "two seeds", "identical seeds", "other sizes"],
)
def test_too_few_seeds_cannot_say(
    claim: str, pictures: list[np.ndarray], why: str, tmp_path: Path
) -> None:
    given = answer(NAME, claim, textures(tmp_path, pictures))
    assert given.verdict == C
    assert why in given.text.lower()


def test_of_some_sizes_those_that_are_alike_are_compared(tmp_path: Path) -> None:
    runs = textures(tmp_path, [*patches(), waves(48)], (*LIKE, 0.2))
    assert answer(NAME, OTHER, runs).verdict == R


def test_without_style_distances_nobody_knows_whether_they_are_like_the_style(
    tmp_path: Path,
) -> None:
    runs = without(textures(tmp_path, patches()), "style_distance")
    assert answer(NAME, EQUAL, runs).verdict == C
    assert answer(NAME, OTHER, runs).verdict == R
