"""What a backbone learns from, without labels: batches, the network that learns, and its tasks.

Three tasks, each from features of a few layers:

- *identity*: which image of the pool is this crop of? (Dosovitskiy et al. 2014, "Discriminative
  unsupervised feature learning"; from means and standard deviations over the positions, so that
  it is texture that tells images apart)
- *reconstruction*: the pixels, from one layer, through one 1×1 convolution
- *teacher* (optional): the features of a trained network, through one 1×1 convolution each

Normalisation stays in the network while it learns and is folded into the convolutions afterwards:
without it, depth lost what reconstruction needs (docs/backbone.md).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.backbones.network import Backbone

Padding = Literal["zeros", "reflect", "replicate", "circular"]
"""Padding of convolutions while they learn; the result pads with zeros, as every VGG does."""

RECONSTRUCT = "relu_10"
IDENTITY = {"relu_4": 0.1, "relu_8": 0.3, "relu_12": 0.8, "relu_16": 1.0}
"""{layer: weight of its cross-entropy}."""

TEACHER = {
    **{"relu_4": "fire2", "relu_8": "fire3", "relu_10": "fire4", "relu_12": "fire7"},
    **{"relu_14": "fire8", "relu_16": "fire9"},
}
"""{layer of the student: layer of SqueezeNet 1.0 it predicts}."""

_TEMPERATURE = 16.0
_EMBEDDING = 128


class Student(nn.Module):
    """A VGG whose every convolution is followed by batch normalisation.

    With zeros as padding it starts as exactly the backbone that it was made from, as seen on
    ``images``.

    Args:
        backbone: where it starts
        images: (N, 3, H, W) for the statistics of the normalisation
        padding: of its convolutions
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone, images: Tensor, padding: Padding = "zeros"):
        super().__init__()
        chain: dict[str, nn.Module] = {}
        x = (images - backbone.mean) / backbone.std
        with torch.no_grad():
            for name, module in backbone.chain.items():
                if isinstance(module, nn.Conv2d):
                    x = module(x)
                    chain[name], chain[f"norm_{name}"] = _split(module, x, padding)
                else:
                    chain[name] = copy.deepcopy(module)
                    x = chain[name](x)
        self.chain = nn.ModuleDict(chain)
        self.register_buffer("mean", backbone.mean.clone())
        self.register_buffer("std", backbone.std.clone())

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features of the layers asked for; images (N, 3, H, W), RGB in [0, 1]."""
        requested, features = set(layers), {}
        x = (images - self.mean) / self.std
        for name, module in self.chain.items():
            x = module(x)
            if name in requested:
                features[name] = x
                if len(features) == len(requested):
                    break
        return features

    @torch.no_grad()
    def fold(self) -> dict[str, Tensor]:
        """Weights of the plain VGG that computes the same with the running statistics."""
        state = {}
        for name, module in self.chain.items():
            if isinstance(module, nn.Conv2d):
                norm = self.chain[f"norm_{name}"]
                assert isinstance(norm, nn.BatchNorm2d)
                assert norm.running_var is not None
                assert norm.running_mean is not None
                scale = norm.weight / (norm.running_var + norm.eps).sqrt()
                state[f"{name}.weight"] = module.weight * scale.view(-1, 1, 1, 1)
                state[f"{name}.bias"] = norm.bias - norm.running_mean * scale
        return state

    @torch.no_grad()
    def estimate_statistics(self, images: Tensor) -> None:
        """Replace the running statistics by those of these images."""
        norms = [m for m in self.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain average
        was = self.training
        self.train()
        self(images, [list(self.chain)[-1]])
        self.train(was)
        for norm in norms:
            norm.momentum = 0.1


def _split(conv: nn.Conv2d, output: Tensor, padding: Padding) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution with bias as one without and the batch normalisation that makes up for it."""
    width = conv.in_channels, conv.out_channels
    bare = nn.Conv2d(*width, 3, padding=1, padding_mode=padding, bias=False)
    norm = nn.BatchNorm2d(conv.out_channels)
    assert conv.bias is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    bare.weight.data.copy_(conv.weight)
    var, mean = torch.var_mean(output, (0, 2, 3), correction=0)
    norm.weight.data.copy_((var + norm.eps).sqrt())
    norm.bias.data.copy_(mean)
    norm.running_mean.copy_(mean - conv.bias)
    norm.running_var.copy_(var)
    return bare, norm


class Tasks(nn.Module):
    """The heads and their losses.

    Args:
        student: what learns
        pool: number of images that identity tells apart
        weights: of the tasks ``identity``, ``reconstruction``, ``teacher``; 0 leaves one out
        teacher: SqueezeNet 1.0, where its weight is not 0
    """

    def __init__(
        self, student: Student, pool: int, weights: Mapping[str, float], teacher: Backbone | None
    ):
        super().__init__()
        self.weights = dict(weights)
        self._teacher = (teacher,)  # a tuple, so that it is no part of the checkpoint
        convs = {f"relu{k[4:]}": s for k, s in student.chain.items() if isinstance(s, nn.Conv2d)}
        width = {name: conv.out_channels for name, conv in convs.items()}
        self.embed, self.classes = nn.ModuleDict(), nn.ModuleDict()
        if weights["identity"]:
            for layer in IDENTITY:
                self.embed[layer] = nn.Sequential(
                    nn.BatchNorm1d(2 * width[layer]),
                    nn.Linear(2 * width[layer], _EMBEDDING),
                    nn.BatchNorm1d(_EMBEDDING, affine=False),
                )
                self.classes[layer] = nn.Linear(_EMBEDDING, pool, bias=False)
        self.pixels = nn.Conv2d(width[RECONSTRUCT], 3 * 8 * 8, 1)
        self.predict = nn.ModuleDict()
        if teacher is not None:
            with torch.no_grad():
                seen = teacher(torch.zeros(1, 3, 64, 64), TEACHER.values())
            for layer, seen_layer in TEACHER.items():
                self.predict[layer] = nn.Conv2d(width[layer], seen[seen_layer].shape[1], 1)
                channels = seen[seen_layer].shape[1]
                self.register_buffer(f"mean_{seen_layer}", torch.zeros(1, channels, 1, 1))
                self.register_buffer(f"std_{seen_layer}", torch.zeros(1, channels, 1, 1))

    @property
    def layers(self) -> set[str]:
        """What the tasks look at."""
        return {RECONSTRUCT, *self.embed, *self.predict}

    def forward(
        self, features: Mapping[str, Tensor], index: Tensor, seen: Tensor, clean: Tensor
    ) -> dict[str, Tensor]:
        """Weighted losses by name.

        Args:
            features: the student's, of :attr:`layers`
            index: (N,) which images of the pool
            seen: (N, 3, H, W) what the student saw
            clean: (N, 3, H, W) the same without added noise, the reconstruction's target
        """
        losses = {}
        for layer in self.embed:
            loss = self._identity(layer, features[layer].float(), index)
            losses[f"identity_{layer}"] = self.weights["identity"] * IDENTITY[layer] * loss
        pixels = F.pixel_shuffle(self.pixels(features[RECONSTRUCT]), 8).float()
        error = F.mse_loss(pixels, clean) / 0.05  # about the variance of pixels
        losses["reconstruction"] = self.weights["reconstruction"] * error
        if self.predict:
            losses["teacher"] = self.weights["teacher"] * self._distil(features, seen)
        return losses

    def _identity(self, layer: str, features: Tensor, index: Tensor) -> Tensor:
        described = torch.cat((features.mean((2, 3)), features.std((2, 3))), 1)
        embedded = F.normalize(self.embed[layer](described).float(), dim=1)
        classes = self.classes[layer]
        assert isinstance(classes, nn.Linear)
        names = F.normalize(classes.weight, dim=1)
        logits = _TEMPERATURE * (embedded.bfloat16() @ names.t().bfloat16()).float()
        return F.cross_entropy(logits, index, label_smoothing=0.05)

    def _distil(self, features: Mapping[str, Tensor], seen: Tensor) -> Tensor:
        """Smooth L1 between predicted and standardised features of the teacher, summed."""
        (teacher,) = self._teacher
        assert teacher is not None
        total = features[RECONSTRUCT].new_zeros((), dtype=torch.float32)
        with torch.no_grad():
            taught = teacher(seen, TEACHER.values())
        for layer, name in TEACHER.items():
            target = self._standardize(name, taught[name].float())
            guess = self.predict[layer](features[layer]).float()
            guess = F.interpolate(guess, target.shape[2:], mode="bilinear", align_corners=False)
            total = total + F.smooth_l1_loss(guess, target)
        return total

    def _standardize(self, name: str, features: Tensor) -> Tensor:
        """By the statistics of the first batch, kept for good."""
        mean, std = getattr(self, f"mean_{name}"), getattr(self, f"std_{name}")
        if not float(std.abs().sum()):
            mean.copy_(features.mean((0, 2, 3), keepdim=True))
            spread = features.std((0, 2, 3), keepdim=True)
            std.copy_(spread + 0.05 * features.std())
        standard: Tensor = (features - mean) / std
        return standard


def crops(
    pool: Tensor, count: int, side: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """A batch: crops of random images under random geometry, colour, blur and noise.

    Args:
        pool: (P, 3, S, S) uint8
        count: N
        side: of a crop, in pixels
        generator: decides everything

    Returns:
        (index (N,), seen (N, 3, side, side), clean (N, 3, side, side)); ``seen`` has the noise.
    """

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * (high - low) + low

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator)

    index = torch.randint(0, len(pool), (count,), generator=generator)
    images = pool[index].float() / 255
    affine = _affine(uniform, normal, side / pool.shape[-1])
    grid = F.affine_grid(affine, [count, 3, side, side], align_corners=False)
    x = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    middle = x.mean((1, 2, 3), keepdim=True)
    x = torch.einsum("nij,njhw->nihw", _recolor(uniform), x - middle) + middle
    x = (x + 0.1 * normal(1, 1, 1) + 0.03 * normal(3, 1, 1)).clamp(0, 1)
    blurred = (uniform(0, 1) < 0.15).view(-1, 1, 1, 1)
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)
    grain = (uniform(0, 1, 1, 1, 1) < 0.3) * uniform(0, 0.08, 1, 1, 1)
    return index, torch.where(blurred, soft, x) + grain * normal(3, side, side), x


def _affine(uniform: Callable[..., Tensor], normal: Callable[..., Tensor], scale: float) -> Tensor:
    """(N, 2, 3): zoom by half to 1.6 times the scale, turn, stretch, mirror, anywhere."""
    zoom = torch.exp(uniform(math.log(0.5), math.log(1.6))) * scale
    angle, aspect = 0.35 * normal(), torch.exp(0.12 * normal())
    flip = (uniform(0, 1) < 0.5).float() * 2 - 1
    cos, sin, free = angle.cos() * zoom, angle.sin() * zoom, (1 - zoom).clamp_min(0)
    rows = (
        (cos * flip * aspect, -sin, uniform(-1, 1) * free),
        (sin * flip, cos / aspect, uniform(-1, 1) * free),
    )
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def _recolor(uniform: Callable[..., Tensor]) -> Tensor:
    """(N, 3, 3) near the identity: hue turned about the grey axis, saturation, contrast."""
    angle = uniform(-0.12, 0.12, 1, 1) * math.pi
    k = 1 / math.sqrt(3)
    skew = torch.tensor([[0, -k, k], [k, 0, -k], [-k, k, 0]])
    gray = torch.full((3, 3), 1 / 3)
    hue = angle.cos() * torch.eye(3) + angle.sin() * skew + (1 - angle.cos()) * gray
    saturation = uniform(0.3, 1.5, 1, 1)
    mixed: Tensor = (saturation * hue + (1 - saturation) * gray) * uniform(0.65, 1.35, 1, 1)
    return mixed
