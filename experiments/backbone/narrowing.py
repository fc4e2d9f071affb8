"""A narrow network out of a wide one, without training: layer by layer, fewer channels.

Which channels stay: those from which the others follow best, by pivoted Cholesky factorisation of
the channels' correlations. What the filters become: least squares from what the narrow network
computes so far to what the wide one computes there, so that each layer makes good for the errors of
those before it (He, Zhang & Sun 2017, "Channel Pruning for Accelerating Very Deep Neural
Networks", arXiv 1707.06168, section 3.1).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from nst.backbones.network import Backbone

_SAMPLES = 40_000  # positions that are looked at
_RIDGE = 3e-3  # of the mean square of what a filter sees
_FAINT = 0.1  # of the inputs' mean magnitude; a fainter one's weights could become anything
_UNEXPLAINED = 1e-3  # of a channel's mean square; below it what is left is rounding
_TINY = 1e-6


@torch.no_grad()
def narrow(wide: Backbone, thin: Backbone, images: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """Fill a narrow network so that it computes some channels of a wide one of the same layout.

    Args:
        wide: the network to imitate
        thin: the network to fill, of the same layers with fewer channels; changed in place
        images: (N, 3, H, W), RGB in [0, 1], to learn from; a block's features have to fit in
            memory a few times, N·H·W·64 numbers each
        seed: of the positions that are looked at

    Returns:
        {convolution of the narrow network: (C,) channels of the wide one that it stands for}.
    """
    generator = torch.Generator().manual_seed(seed)
    channels: dict[str, Tensor] = {}
    full, part = wide.normalize(images), thin.normalize(images)
    layers = list(thin.chain.items())
    for name, module in tqdm(layers, desc="narrowing", unit="layer", disable=None):
        teacher = wide.chain[name]
        full = teacher(full)
        if isinstance(module, nn.Conv2d):
            channels[name] = pivots(F.relu(full), module.out_channels, generator)
            weight, bias = refit(part, full[:, channels[name]], generator)
            module.weight = nn.Parameter(weight, requires_grad=False)
            module.bias = nn.Parameter(bias, requires_grad=False)
        part = module(part)
    return channels


def pivots(activations: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Channels from which the others follow best, in ascending order.

    The choice is greedy: the next channel is always the one that takes the most off what is left
    unexplained of all, each channel's mean square counting as 1 (pivoted Cholesky factorisation of
    their correlations).

    Args:
        activations: (N, C, H, W), after ReLU
        count: how many, at most C
        generator: chooses the positions that are looked at

    Returns:
        (count,), indices.
    """
    rows = activations.transpose(0, 1).flatten(1)  # (C, N H W)
    rows = rows[:, torch.randint(rows.shape[1], (_SAMPLES,), generator=generator)]
    rows = rows / (rows.square().mean(1, keepdim=True).sqrt() + _TINY)
    left = (rows @ rows.T / rows.shape[1]).double()  # what the chosen leave unexplained
    chosen: list[int] = []
    for _ in range(count):
        gain = left.square().sum(0) / left.diagonal().clamp_min(_UNEXPLAINED)
        gain[chosen] = -1
        best = int(gain.argmax())
        chosen.append(best)
        column = left[:, best].clone()
        left -= torch.outer(column, column) / column[best].clamp_min(_TINY)
    return torch.tensor(sorted(chosen))


def refit(inputs: Tensor, outputs: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The 3×3 convolution that comes closest to given outputs: ridge regression.

    Args:
        inputs: (N, C, H, W)
        outputs: (N, K, H, W), before ReLU
        generator: chooses the positions that are looked at

    Returns:
        (weight (K, C, 3, 3), bias (K,)).
    """
    n, c, height, width = inputs.shape
    where = [torch.randint(side, (_SAMPLES,), generator=generator) for side in (n, height, width)]
    image, row, column = where
    padded = F.pad(inputs, (1, 1, 1, 1))
    patches = torch.stack(
        [padded[image, :, row + i, column + j] for i in range(3) for j in range(3)], 2
    )  # (M, C, 9)
    x = torch.cat([patches.flatten(1), torch.ones(_SAMPLES, 1)], 1).double()
    y = outputs[image, :, row, column].double()
    scale = x.square().mean(0).sqrt()
    scale = scale.clamp_min(_FAINT * float(scale[:-1].mean()) + _TINY)
    x = x / scale
    ridge = _RIDGE * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    solution = (torch.linalg.solve(x.T @ x + ridge, x.T @ y) / scale[:, None]).float()
    weight = solution[:-1].T.reshape(-1, c, 3, 3)
    return weight.contiguous(memory_format=torch.channels_last), solution[-1].contiguous()
