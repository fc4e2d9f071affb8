"""What the benchmark measures: sizes, networks, number formats, and how often."""

from __future__ import annotations

from dataclasses import dataclass

import torch

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
NETWORKS = ("vgg19_mini", "vgg19")


@dataclass(frozen=True)
class Plan:
    """Sizes are in pixels, of a square image.

    Attributes:
        sizes, batches: for the seconds per iteration
        networks, precisions: for the seconds per iteration
        versus: sizes for the comparison with the baseline
        memory: sizes for the peak memory
        blocks: how often A and B take turns in the comparison
        same_loss: network, size and the baseline's iterations of comparisons at the same loss
        overhead: size and steps of the run whose records, bar and W&B are measured
    """

    sizes: tuple[int, ...] = (128, 256, 512, 1024)
    batches: tuple[int, ...] = (1, 4, 16)
    networks: tuple[str, ...] = NETWORKS
    precisions: tuple[str, ...] = tuple(DTYPES)
    versus: tuple[int, ...] = (256, 512)
    memory: tuple[int, ...] = (512, 1024)
    blocks: int = 5
    same_loss: tuple[tuple[str, int, int], ...] = (
        ("vgg19_mini", 256, 300),
        ("vgg19, kmeans", 256, 300),
        ("vgg19, kmeans", 512, 300),
    )
    overhead: tuple[int, int] = (256, 300)


QUICK = Plan(
    sizes=(64, 128),
    batches=(1, 2),
    versus=(128,),
    memory=(128,),
    blocks=3,
    same_loss=(("vgg19_mini", 64, 20),),
    overhead=(128, 30),
)
