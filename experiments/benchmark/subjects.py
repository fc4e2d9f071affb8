"""What is timed: our optimiser and the baseline's, with the same losses on the same pictures."""

from __future__ import annotations

import functools

from torch import Tensor

import nst
from experiments.benchmark.baseline import Baseline, PlainVGG
from experiments.benchmark.plan import DTYPES
from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.gradients.engine import engine
from nst.losses.objective import Objective
from nst.losses.terms import weighted_terms
from nst.optimizers.from_config import make_optimizer
from nst.optimizers.steps import PixelOptimizer, ValueAndGradient
from nst.pictures.samples import load_image

CONTENT = "relu_10"
STYLE = ("relu_1", "relu_3", "relu_5", "relu_9", "relu_13")
STYLE_WEIGHT = {"vgg19_mini": 1e2, "vgg19": 1e4}
"""`mean` divides a Gram error by C⁴; with less, torch drops every pair, as sᵀy is below 1e-10."""

_WEIGHTS = {"vgg19_mini": "shipped", "vgg19": "random"}


@functools.cache
def network(name: str, precision: str = "float32") -> Backbone:
    """A backbone, loaded once; its weights may follow behind its name: ``vgg19, kmeans``."""
    if precision != "float32":
        return network(name).in_precision(DTYPES[precision])
    backbone, _, weights = name.partition(", ")
    return load_backbone(backbone, weights or _WEIGHTS[backbone], "avg")


@functools.cache
def picture(sample: str, size: int) -> Tensor:
    """A square picture (1, 3, size, size)."""
    return load_image(sample, 2 * size)[..., :size, :size].contiguous()


def style_weights(name: str) -> dict[str, float]:
    """{layer: weight} for a network."""
    return dict.fromkeys(STYLE, STYLE_WEIGHT[name.partition(", ")[0]])


def objective(name: str, size: int, precision: str) -> Objective:
    """The usual five style layers and one content layer."""
    return Objective.of_pictures(
        network(name, precision),
        weighted_terms({CONTENT: 1.0}, style_weights(name)),
        picture("astronaut", size),
        picture("mosaic", size),
    )


def ours(
    name: str,
    size: int,
    precision: str,
    batch: int = 1,
    clamp: bool = True,
    checkpointing: bool = False,
) -> PixelOptimizer:
    """Our optimiser, from the content image.

    Args:
        name: of the network, as for :func:`network`
        size: of the image, in pixels
        precision: ``float32`` or ``bfloat16``
        batch: images at once
        clamp: bring the image back into [0, 1] after every step
        checkpointing: compute large blocks of the network twice
    """
    evaluate = engine(objective(name, size, precision), checkpointing)
    return our_lbfgs(evaluate, picture("astronaut", size).repeat(batch, 1, 1, 1), clamp)


def our_lbfgs(evaluate: ValueAndGradient, start: Tensor, clamp: bool) -> PixelOptimizer:
    """What ``optimizer=lbfgs`` makes; the start is evaluated at once, and is its first step."""
    cfg = nst.compose("optimizer=lbfgs", f"optimizer.clamp={clamp}").optimizer
    return make_optimizer(cfg, evaluate, start, cfg.steps)


def baseline(size: int, cut: bool, name: str = "vgg19") -> Baseline:
    """The baseline's steps; cut: the network ends after the last layer that is needed."""
    plain = PlainVGG(network(name), "relu_13" if cut else None)
    pictures = picture("astronaut", size), picture("mosaic", size)
    return Baseline(plain, *pictures, CONTENT, style_weights(name))
