from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nst.backbones import kmeans
from nst.backbones.load import load_backbone
from nst.errors import InputError
from nst.pictures.procedural import training_images


def small_chain() -> list[nn.Module]:
    return [
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
    ]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Few patches and directions, and a cache of the test's own."""
    monkeypatch.setattr(kmeans, "PATCHES", 500)
    monkeypatch.setattr(kmeans, "RANK", 64)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def filled(seed: int) -> list[nn.Module]:
    chain = small_chain()
    images = training_images(6, 32, photos=0) - 0.5
    kmeans.fill(chain, images, torch.Generator().manual_seed(seed))
    return chain


def test_every_channel_is_alive_and_has_a_mean_activation_of_one(quick: Path) -> None:
    x = training_images(6, 32, photos=0) - 0.5
    for module in filled(0):
        x = module(x)
        if isinstance(module, nn.Conv2d):
            means = F.relu(x).mean((0, 2, 3))
            torch.testing.assert_close(means, torch.ones_like(means), rtol=1e-3, atol=1e-3)


def test_a_seed_decides_the_filters(quick: Path) -> None:
    a, b, c = ([p for s in filled(k) for p in s.parameters()] for k in (0, 0, 1))
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert not torch.equal(a[0], c[0])


def test_whitened_patches_have_no_correlations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "WHITENING", 1e-6)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 6, generator=generator) @ torch.randn(6, 6, generator=generator)
    z = (x - x.mean(0)) @ kmeans.whitening(x - x.mean(0))
    torch.testing.assert_close(z.t() @ z / len(z), torch.eye(6), atol=1e-3, rtol=0)


def test_the_randomized_whitening_keeps_the_strongest_directions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([9.0, 7.0, 5.0, *[0.01] * 37])
    x = torch.randn(2000, 40, generator=generator) * scales
    monkeypatch.setattr(kmeans, "RANK", 3)
    directions = kmeans.whitening(x)
    assert directions.shape == (40, 3)
    assert directions[:3].abs().sum() > 50 * directions[3:].abs().sum() / 37


def test_clusters_find_planted_directions() -> None:
    generator = torch.Generator().manual_seed(0)
    planted = F.normalize(torch.randn(4, 12, generator=generator), dim=1)
    z = planted.repeat(200, 1) + 0.05 * torch.randn(800, 12, generator=generator)
    centroids = kmeans.spherical_kmeans(F.normalize(z, dim=1), 12, generator)
    assert (planted @ centroids.t()).max(1).values.min() > 0.99
    torch.testing.assert_close(centroids.norm(dim=1), torch.ones(12))


def test_patches_are_neighborhoods() -> None:
    features = torch.arange(2 * 5 * 5, dtype=torch.float32).view(1, 2, 5, 5)
    for patch in kmeans.sample_patches(features, 20, torch.Generator().manual_seed(0)):
        first, second = patch.view(2, 3, 3)
        torch.testing.assert_close(second - first, torch.full((3, 3), 25.0))


@pytest.mark.slow
def test_filters_are_clustered_once(quick: Path) -> None:
    first = load_backbone("vgg19_mini", "kmeans", "avg")
    (file,) = quick.iterdir()
    written = file.stat().st_mtime_ns
    again = load_backbone("vgg19_mini", "kmeans", "avg")
    assert file.stat().st_mtime_ns == written
    assert first.weights_record == again.weights_record
    assert first.weights_record.name == "kmeans"
    x = torch.rand(1, 3, 48, 48)
    features = first(x, ["relu_16"])["relu_16"]
    assert features.std() > 0
    torch.testing.assert_close(features, again(x, ["relu_16"])["relu_16"])


def test_squeezenet_has_none(quick: Path) -> None:
    with pytest.raises(InputError, match="kmeans is for vgg19, vgg16, vgg16_mini, vgg19_mini"):
        load_backbone("squeezenet1_0", "kmeans")
