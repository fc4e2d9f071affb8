from __future__ import annotations

import pytest
import torch

from nst.pictures import starts


def test_a_seed_is_a_picture() -> None:
    a, b = starts.noise([0], (8, 9)), starts.noise([0], (8, 9))
    assert torch.equal(a, b)
    assert a.shape == (1, 3, 8, 9)
    assert not torch.equal(a, starts.noise([1], (8, 9)))


def test_seed_0_is_a_seed() -> None:
    torch.manual_seed(5)
    a = starts.noise([0], (8, 8))
    torch.manual_seed(6)
    assert torch.equal(a, starts.noise([0], (8, 8)))


@pytest.mark.parametrize("make", [starts.noise, lambda s, z: starts.smooth_noise(s, z, sigma=1.0)])
def test_each_image_of_a_batch_has_its_own_seed(make) -> None:  # type: ignore[no-untyped-def]
    together = make([3, 0, 7], (8, 8))
    for i, seed in enumerate((3, 0, 7)):
        torch.testing.assert_close(together[i : i + 1], make([seed], (8, 8)))


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_amplitude_and_mean(distribution: str) -> None:
    x = starts.noise([0], (64, 64), mean=0.4, amplitude=0.1, distribution=distribution)
    assert x.mean().item() == pytest.approx(0.4, abs=0.005)
    spread = 0.1 if distribution == "normal" else 0.1 / 3**0.5
    assert x.std().item() == pytest.approx(spread, rel=0.03)


def test_smooth_noise_is_smooth_and_as_strong() -> None:
    rough, smooth = starts.noise([0], (64, 64)), starts.smooth_noise([0], (64, 64), sigma=3.0)
    steps = [(x[..., 1:] - x[..., :-1]).abs().mean() for x in (rough, smooth)]
    assert steps[1] < 0.4 * steps[0]
    assert smooth.std().item() == pytest.approx(rough.std().item(), rel=0.02)


def test_from_an_image() -> None:
    image = torch.rand(1, 3, 6, 6)
    assert torch.equal(starts.from_image(image, [0, 1]), image.expand(2, -1, -1, -1))
    noisy = starts.from_image(image, [0, 1], amplitude=0.3, distribution="uniform")
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert (noisy - image).abs().max() <= 0.3
    assert not torch.equal(noisy[0], noisy[1])
