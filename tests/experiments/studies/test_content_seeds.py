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
    only,
    save,
    seeds,
    sweep_of,
    waves,
)  # fmt: skip

NAME = "content_seeds"
SAME, BETWEEN, ORIGINAL = (
    "seeds_give_nearly_the_same_picture",
    "difference_of_seeds_is_noise",
    "difference_to_original_is_noise",
)


def reconstructions(folder: Path, pictures: list[np.ndarray], content: np.ndarray) -> Sweep:
    """A run for each picture, of seeds 0 and up."""
    for number, picture in enumerate(pictures):
        save(folder / str(number) / "image.png", picture)
        save(folder / str(number) / "content.png", content)
    return sweep_of(
        seeds(len(pictures)), lambda cell: {"folder": str(folder / cell["seed"])}, task="content"
    )


def grain(much: float) -> list[np.ndarray]:
    """The content with other grain for each seed."""
    return [waves() + noise(seed, much) for seed in range(3)]


def washes(much: float) -> list[np.ndarray]:
    """The content with other large patches of colour for each seed."""
    return [waves() + much * (waves(phase=seed + 1) - 127.5) / 80 for seed in range(3)]


def both(fine: float, coarse: float) -> list[np.ndarray]:
    return [a + b - waves() for a, b in zip(grain(fine), washes(coarse), strict=True)]


CASES = [
    # what the seeds gave, the same, differ by noise, differ from the original by noise
    ("a little grain", grain(8), R, R, R),
    ("much grain", grain(22), P, R, R),
    ("very much grain", grain(45), N, R, R),
    ("grain and patches", both(18, 11), P, P, P),
    ("faint patches", washes(10), R, N, N),
    ("other pictures", [waves(phase=p) for p in (1.0, 2.0, 3.0)], N, N, N),
]


@pytest.mark.parametrize(("pictures", "verdicts"), [(c[1], c[2:]) for c in CASES],
                         ids=[c[0] for c in CASES])  # fmt: skip
def test_a_verdict_by_the_stated_thresholds(
    pictures: list[np.ndarray], verdicts: tuple[str, ...], tmp_path: Path
) -> None:
    runs = reconstructions(tmp_path, pictures, waves())
    given = [answer(NAME, claim, runs) for claim in (SAME, BETWEEN, ORIGINAL)]
    assert tuple(each.verdict for each in given) == verdicts, [each.text for each in given]
    assert all("of 255 (brightness" in each.text for each in given)


def test_colors_that_cancel_in_the_mean_count_in_full(tmp_path: Path) -> None:
    """Red up, blue down: the mean of the channels hides it, the eye does not."""
    tints = [np.array([-60.0, 0, 60]), np.zeros(3), np.array([60.0, 0, -60])]
    runs = reconstructions(tmp_path, [waves() * 0.3 + 89 + tint for tint in tints], waves())
    given = answer(NAME, SAME, runs)
    assert given.verdict == N
    assert "brightness 0.0, colour 65" in given.text


@pytest.mark.parametrize("claim", [SAME, BETWEEN])
@pytest.mark.parametrize(
    ("pictures", "why"),
    [
        (grain(8)[:1], "0 pairs of one size"),
        (grain(8)[:2], "1 pairs of one size"),
        ([waves()] * 3, "two seeds gave the same picture"),
        ([*grain(8), grain(8)[1]], "two seeds gave the same picture"),
        ([waves(), waves(48), waves(40)], "0 pairs of one size"),
    ],
    ids=["one seed", "two seeds", "identical seeds", "two of four identical", "other sizes"],
)
def test_too_few_seeds_cannot_say(
    claim: str, pictures: list[np.ndarray], why: str, tmp_path: Path
) -> None:
    given = answer(NAME, claim, reconstructions(tmp_path, pictures, waves()))
    assert given.verdict == C
    assert why.lower() in given.text.lower()


def test_without_an_original_of_its_size_nothing_differs_from_it(tmp_path: Path) -> None:
    runs = reconstructions(tmp_path, grain(8), waves(32))
    assert answer(NAME, ORIGINAL, runs).verdict == C
    assert answer(NAME, SAME, runs).verdict == R


def test_the_content_itself_has_no_difference_that_could_be_noise(tmp_path: Path) -> None:
    given = answer(NAME, ORIGINAL, reconstructions(tmp_path, [waves()] * 3, waves()))
    assert given.verdict == C


def test_runs_whose_content_is_absent_are_left_out_by_name(tmp_path: Path) -> None:
    runs = reconstructions(tmp_path, grain(8), waves())
    runs.runs["content_absent"] = [None, None, "its content is not to be found"]
    for claim in (SAME, BETWEEN, ORIGINAL):
        given = answer(NAME, claim, runs)
        assert "seed 2 (its content is not to be found)" in given.text
    assert answer(NAME, SAME, only(runs, seed="2")).verdict == C
