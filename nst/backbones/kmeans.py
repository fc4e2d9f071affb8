"""Filters without training: each layer's are clustered from the patches it sees.

Layer by layer: take patches of the layer's own input, whiten them, cluster them on the sphere
(Coates & Ng 2012, "Learning feature representations with k-means"), and use the centroids as
filters. Pre-activations get zero mean and unit variance plus a bias, so that most positions are
active and depth does not silence the signal; then every channel's mean activation is scaled to 1
(Gatys et al. 2015). Seconds for vgg19_mini, minutes for VGG-19.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VERSION = 1
"""Part of the cache's file name; raise it when other filters come out."""

BIAS = 0.7
"""Added to normalised pre-activations: with 0, layers from conv_8 on carry little."""

PATCHES = 20_000
WHITENING = 0.3
"""Share of the mean eigenvalue added to each, so that noise is not blown up to full size."""

RANK = 1152
"""Most directions kept when whitening: all of vgg19_mini's, a quarter of VGG-19's 4608."""

STEPS = 8


@torch.no_grad()
def fill(modules: list[nn.Module], images: Tensor, generator: torch.Generator) -> None:
    """Give every convolution of a chain its own filters.

    Args:
        modules: in order of computation; 3×3 convolutions, ReLUs and pooling; changed in place
        images: (N, C, H, W), the input of the first module, normalised as the network wants
        generator: decides the patches and the first centroids
    """
    features = images
    for module in modules:
        if isinstance(module, nn.Conv2d):
            patches = sample_patches(features, PATCHES, generator)
            filters = learn_filters(patches, module.out_channels, generator)
            _set(module, filters.view(module.weight.shape), features)
            features = module(features)
        elif isinstance(module, nn.ReLU):
            features = F.relu(features, inplace=True)
        else:
            if min(features.shape[2:]) < 2:
                return
            features = module(features)


def sample_patches(features: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Random 3×3 patches of (N, C, H, W), reflected at the edges: (count, 9 C)."""
    n, _, h, w = features.shape
    padded = F.pad(features, (1, 1, 1, 1), mode="reflect" if min(h, w) > 1 else "replicate")
    i, y, x = (torch.randint(0, top, (count, 1, 1), generator=generator) for top in (n, h, w))
    dy, dx = torch.meshgrid(torch.arange(3), torch.arange(3), indexing="ij")
    patches = padded[i, :, y + dy, x + dx]  # (count, 3, 3, C)
    return patches.permute(0, 3, 1, 2).flatten(1)


def learn_filters(patches: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Centroids of whitened patches, as filters on raw ones: (M, D) → (count, D)."""
    centered = patches - patches.mean(0)
    whiten = whitening(centered)
    z = centered @ whiten
    norms = z.norm(dim=1)
    z = F.normalize(z[norms >= norms.median()], dim=1)  # flat patches have no direction
    return spherical_kmeans(z, count, generator) @ whiten.t()


def whitening(centered: Tensor) -> Tensor:
    """(M, D) of zero mean → (D, K): to the K ≤ RANK strongest directions, each of about unit size.

    The eigendecomposition of a 4608² matrix, in VGG-19's deep layers, would take minutes; a
    randomised one finds the strongest directions.
    """
    m, d = centered.shape
    mean_eigenvalue = float(centered.square().sum()) / m / d
    if d <= 2 * RANK:
        values, vectors = torch.linalg.eigh(centered.t() @ centered / m)
        values, vectors = values[-RANK:], vectors[:, -RANK:]  # in ascending order
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            _, s, vectors = torch.svd_lowrank(centered, q=RANK, niter=1)
        values = s.square() / m
    scale = (values.clamp_min(0) + WHITENING * mean_eigenvalue).rsqrt()
    filters: Tensor = vectors * scale
    return filters


def spherical_kmeans(z: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Cluster unit vectors (M, K) by angle: (count, K) unit centroids."""

    def draw(k: int) -> Tensor:
        return z[torch.randint(0, len(z), (k,), generator=generator)]

    first = torch.randperm(len(z), generator=generator)[:count]
    centroids = torch.cat((z[first], draw(max(0, count - len(first)))))
    for _ in range(STEPS):
        similarity, nearest = (z @ centroids.t()).max(1)
        sums = torch.zeros_like(centroids).index_add_(0, nearest, z * similarity[:, None])
        empty = sums.norm(dim=1) < 1e-6
        sums[empty] = draw(int(empty.sum()))
        centroids = F.normalize(sums, dim=1)
    return centroids


def _set(conv: nn.Conv2d, filters: Tensor, features: Tensor) -> None:
    """Filters with normalised pre-activations plus the bias, mean activation 1 per channel."""
    conv.weight.data = filters.contiguous()
    bias = torch.zeros(conv.out_channels)
    conv.bias = nn.Parameter(bias, requires_grad=False)
    output = conv(features)
    mean, spread = output.mean((0, 2, 3)), output.std((0, 2, 3)).clamp_min(1e-6)
    normalized = (output - mean.view(1, -1, 1, 1)) / spread.view(1, -1, 1, 1) + BIAS
    scale = 1.0 / F.relu(normalized).mean((0, 2, 3)).clamp_min(1e-3)
    conv.weight.data *= (scale / spread).view(-1, 1, 1, 1)
    conv.bias.data = (BIAS - mean / spread) * scale
