"""How far a run in a batch and the same run alone go apart: ``python -m tests.stress.apart``.

The two differ in the last bits of float32, which the steps amplify. For comparison the same run
alone from a start that is a millionth away. A line for each number of steps: the largest and the
mean difference of the saved pixels, of 255, the PSNR, and the largest difference of the losses.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

import nst
from nst.config import Config
from nst.pictures.files import to_uint8
from nst.pictures.measures import psnr
from nst.runs.transfer import Transfer

STYLE_WEIGHTS = (30, 50, 120, 300)
MILLIONTH = 1e-6

Results = dict[int, tuple[np.ndarray, np.ndarray]]
"""{step: pictures (N, H, W, 3) in 8 bits, losses (N,)}."""


@dataclass(frozen=True)
class Apart:
    """How far pictures and losses of N runs are from those of N others.

    Attributes:
        most, mean: difference of pixels, of 255
        psnr: in dB, of all N
        loss: the largest relative difference
    """

    most: int
    mean: float
    psnr: float
    loss: float

    def __str__(self) -> str:
        loss = f"losses {self.loss:.1%}"
        return f"pixels {self.most} at most, {self.mean:.2f} on average, {self.psnr:.1f} dB; {loss}"


def results(cfgs: Sequence[Config], steps: Sequence[int], away: float = 0.0) -> Results:
    """What N runs as one batch have after some steps, from starts that are so far away."""
    first = Transfer._start
    noise = torch.Generator().manual_seed(1)

    def moved(transfer: Transfer, cfg: Config) -> Tensor:
        start = first(transfer, cfg)
        return start + away * torch.randn(start.shape, generator=noise) if away else start

    with patch.object(Transfer, "_start", moved):
        return {
            progress.step: (to_uint8(progress.images), progress.terms.sum(1).numpy())
            for progress in Transfer(*cfgs).run()
            if progress.step in steps
        }


def difference(some: Sequence[tuple[np.ndarray, np.ndarray]], others: Results, step: int) -> Apart:
    """Between runs alone, one after the other, and a batch."""
    pictures, losses = (np.concatenate(each) for each in zip(*some, strict=True))
    theirs, their_losses = others[step]
    pixels = np.abs(pictures.astype(int) - theirs)
    loss = float(np.abs(losses / their_losses - 1).max())
    return Apart(int(pixels.max()), float(pixels.mean()), psnr(pictures, theirs), loss)


def run(size: int, steps: Sequence[int], *overrides: str) -> Iterator[tuple[int, Apart, Apart]]:
    """For each number of steps: a batch and runs alone; runs alone and from elsewhere."""
    given = (f"size={size}", f"optimizer.steps={max(steps)}", "device=cpu", "logger=none")
    pictures = ("content=chelsea", "style=swirl")
    cfgs = [
        nst.compose(*given, *pictures, *overrides, f"loss.style_weight={weight}")
        for weight in STYLE_WEIGHTS
    ]
    together = results(cfgs, steps)
    alone = [results([cfg], steps) for cfg in cfgs]
    moved = [results([cfg], steps, MILLIONTH) for cfg in cfgs]
    for step in steps:
        own = [np.concatenate([each[step][i] for each in alone]) for i in range(2)]
        batch = difference([each[step] for each in alone], together, step)
        elsewhere = difference([each[step] for each in moved], {step: (own[0], own[1])}, step)
        yield step, batch, elsewhere


def main() -> None:
    """The long form."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", type=int, default=96, help="longest side in pixels")
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 25, 100], help="to compare at")
    parser.add_argument("overrides", nargs="*", help="as init=noise or precision=float32")
    arguments = parser.parse_args()
    for step, batch, elsewhere in run(arguments.size, arguments.steps, *arguments.overrides):
        print(f"{step} steps: batch and alone: {batch}", flush=True)
        print(f"{step} steps: a millionth away: {elsewhere}", flush=True)


if __name__ == "__main__":
    main()
