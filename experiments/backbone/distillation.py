"""A narrow network learns to compute what a wide one does: some of its channels, layer by layer.

There are three losses. Each is a mean over the thirteen convolutions' outputs after ReLU: S is the
student's, T the teacher's in the channels that the student's stand for
(:mod:`experiments.backbone.narrowing`).

- *features*: mean (S − T)² / variance of T, what a content loss sees
- *channels*: the same of each channel alone, so that faint ones are learned too
- *gram*: ‖G_S − G_T‖² / ‖G_T‖² of each image's Gram matrices, what a style loss sees

The weights are trained in float32; the teacher computes in bfloat16, the student under autocast.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from experiments.backbone.loop import cosine, load_checkpoint, save_checkpoint
from experiments.backbone.self_supervision import crops
from experiments.backbone.settings import NarrowConfig, narrow_key
from nst.backbones.network import Backbone
from nst.losses.gram import gram_matrix

CHANNELS_WEIGHT = 0.3
"""Weight of the loss *channels*; the others count 1."""

_FAINT = 1e-2  # of a layer's mean variance: no channel counts as fainter
_TINY = 1e-12


class Distiller:
    """Everything that a checkpoint holds, and one step of it."""

    def __init__(
        self,
        cfg: NarrowConfig,
        pool: Tensor,
        teacher: Backbone,
        student: Backbone,
        channels: Mapping[str, Tensor],
    ):
        """
        Args:
            cfg: how to train
            pool: (P, 3, S, S) uint8, the images to learn from
            teacher: the wide network; a bfloat16 copy of it is kept
            student: the narrow one, filled; it is trained in place
            channels: {convolution: the teacher's channels that the student's stand for}
        """
        self.cfg, self.pool = cfg, pool
        self.teacher = teacher.to(cfg.device).in_precision(torch.bfloat16)
        self.student = student.to(cfg.device)
        self.channels = {_relu(conv): chosen.to(cfg.device) for conv, chosen in channels.items()}
        self.spread = self._spread()
        groups = []
        for parameter in self.student.chain.parameters():
            parameter.requires_grad_(True)
            rms = float(parameter.detach().square().mean().sqrt())
            groups.append({"params": [parameter], "scale": rms})  # steps relative to the weights
        self.optimizer = torch.optim.Adam(groups, lr=cfg.learning_rate, betas=(0.9, 0.98))
        self.step, self.seconds = 0, 0.0

    def train_step(self) -> dict[str, float]:
        """One step; what it sees depends on the seed and the step's number alone."""
        cfg = self.cfg
        rate = cfg.learning_rate * cosine(self.step, cfg.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        generator = torch.Generator().manual_seed(cfg.seed * 1_000_003 + self.step)
        _, seen, _ = crops(self.pool, cfg.batch, cfg.side, generator)
        losses = self.losses(seen.to(cfg.device))
        total = losses["features"] + CHANNELS_WEIGHT * losses["channels"] + losses["gram"]
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def losses(self, images: Tensor) -> dict[str, Tensor]:
        """The three losses on images (N, 3, H, W), RGB in [0, 1]."""
        with torch.no_grad():
            wide = self.teacher(images, self.channels)
        with torch.autocast(torch.device(self.cfg.device).type, dtype=torch.bfloat16):
            thin = self.student(images, self.channels)
        features, channels, grams = [], [], []
        for layer, chosen in self.channels.items():
            target, own = wide[layer][:, chosen].float(), thin[layer].float()
            error = (own - target).square().mean((0, 2, 3))  # (C,)
            variance, variances = self.spread[layer]
            features.append(error.mean() / variance)
            channels.append((error / variances).mean())
            a, g = gram_matrix(target), gram_matrix(own)
            size = a.square().sum((1, 2)).clamp_min(_TINY)
            grams.append(((g - a).square().sum((1, 2)) / size).mean())
        named = {"features": features, "channels": channels, "gram": grams}
        return {name: torch.stack(values).mean() for name, values in named.items()}

    @torch.no_grad()
    def errors(self, images: Tensor) -> dict[str, float]:
        """{layer: mean (S − T)² / variance of T} on images (N, 3, H, W), RGB in [0, 1]."""
        images = images.to(self.cfg.device)
        wide, thin = (net(images, self.channels) for net in (self.teacher, self.student))
        result = {}
        for layer, chosen in self.channels.items():
            target = wide[layer][:, chosen].float()
            result[layer] = float((thin[layer] - target).square().mean() / _variance(target))
        return result

    @torch.no_grad()
    def _spread(self) -> dict[str, tuple[Tensor, Tensor]]:
        """{layer: (mean variance of its channels, variance of each (C,))} over 64 crops."""
        generator = torch.Generator().manual_seed(self.cfg.seed)
        _, seen, _ = crops(self.pool, 64, self.cfg.side, generator)
        spread = {}
        for layer, features in self.teacher(seen.to(self.cfg.device), self.channels).items():
            values = features[:, self.channels[layer]].float()
            each = values.var((0, 2, 3))
            spread[layer] = (_variance(values), each.clamp_min(_FAINT * float(each.mean())))
        return spread

    def save(self, file: Path) -> None:
        """A checkpoint, renamed into place."""
        state = {
            **{"step": self.step, "seconds": self.seconds},
            **{"student": self.student.state_dict(), "optimizer": self.optimizer.state_dict()},
        }
        save_checkpoint(state, narrow_key(self.cfg), file)

    def load(self, file: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: it was made with other settings.
        """
        state = load_checkpoint(file, narrow_key(self.cfg), self.cfg.device)
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]


def _variance(values: Tensor) -> Tensor:
    """The variance of each channel of features (N, C, H, W), averaged over the channels."""
    return values.var((0, 2, 3)).mean()


def _relu(conv: str) -> str:
    return conv.replace("conv", "relu")
