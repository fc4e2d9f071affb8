"""The only place where a :class:`~nst.config.Config` becomes objects.

>>> from nst.config import Config
>>> cfg = Config(size=32)
>>> cfg.optimizer.steps = 2
>>> [progress.step for progress in Transfer(cfg).run()]
[0, 1, 2]
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nst import inits, optimize
from nst.backbones import load_backbone
from nst.config import Config, InitKind, OptimizerName, Task, check, layer_sets, layer_weights
from nst.errors import InputError
from nst.images import resize
from nst.objective import LossSpec, Objective
from nst.optimize import Step
from nst.precision import Watched, choose, engine
from nst.samples import load_image


@dataclass(frozen=True)
class Stage:
    """One pass of a run at one size: the pictures as tensors, and the objective they define.

    Attributes:
        objective: in float32
        steering: the same in the precision of the run's steps
        content, style: (1, 3, H, W) in [0, 1], or None where the task needs none
        output: (H, W) of the image being optimised
    """

    objective: Objective
    steering: Objective
    content: Tensor | None
    style: Tensor | None
    output: tuple[int, int]


@dataclass(frozen=True)
class Progress:
    """One step of a run.

    Attributes:
        step: counted through all passes; 0 is the start image
        seconds: of optimisation so far, the device synchronised
        images: (1, 3, H, W), not clamped
        terms: (1, K), weighted, in the order of ``objective.names``
        restarts: how often the guard went back to the best image
    """

    step: int
    seconds: float
    images: Tensor
    terms: Tensor
    restarts: int


class Transfer:
    """A run: its backbone and its current stage, and the steps as they come."""

    def __init__(self, cfg: Config):
        """
        Raises:
            InputError: something the config names is missing or cannot work.
        """
        check(cfg)
        self.cfg = cfg
        self.device = pick_device(cfg.device)
        self.precision = choose(
            cfg.precision.name, self.device, to_zero=cfg.task is not Task.transfer
        )
        backbone = cfg.backbone
        self.backbone = load_backbone(
            backbone.name.name,
            backbone.weights,
            backbone.pooling.name,
            seed=backbone.seed,
            device=self.device,
        )
        self._steering = self.backbone.in_precision(self.precision.dtype)
        self._first = self.stage = self._stage(cfg.size)
        self._watched: list[Watched] = []

    @property
    def fell_back(self) -> str | None:
        """Why a pass of the latest run went back to float32, or None where none did."""
        return "; ".join(w.fell_back for w in self._watched if w.fell_back) or None

    @property
    def total_steps(self) -> int:
        """Updates of all passes together."""
        return self.cfg.optimizer.steps + sum(p.steps for p in self.cfg.passes)

    def run(self) -> Iterator[Progress]:
        """Optimise; yields the start image and then every step of every pass.

        Raises:
            InputError: the start image's loss is not finite.
        """
        self.stage, self._watched = self._first, []
        images = self._start()
        done, seconds, restarts = 0, 0.0, 0
        for number, (size, steps) in enumerate(self._plan()):
            if number:
                self.stage = self._stage(size)
                images = resize(images, self.stage.output)
            images = images.contiguous()  # the optimiser's vectors; backbones turn them themselves
            for step, spent in self._timed(self._optimise(images, steps)):
                seconds += spent
                images = step.images
                if step.index == 0:
                    _require_finite(step.terms)
                    if number:  # the last image of the pass before, at another size
                        continue
                trips = restarts + int(step.restarts[0])
                yield Progress(done + step.index, seconds, images, step.terms, trips)
            done, restarts = done + steps, restarts + int(step.restarts[0])

    def _plan(self) -> list[tuple[int, int]]:
        """(longest side, steps) of each pass."""
        first = (self.cfg.size, self.cfg.optimizer.steps)
        return [first, *((round(self.cfg.size * p.scale), p.steps) for p in self.cfg.passes)]

    def _stage(self, size: int) -> Stage:
        cfg = self.cfg
        wants_content = cfg.task is not Task.texture
        wants_style = cfg.task is not Task.content
        content = load_image(cfg.content, size).to(self.device) if wants_content else None
        style = None
        if wants_style:
            style = load_image(cfg.style, cfg.style_size or size).to(self.device)
        objective = Objective(self.backbone, loss_spec(cfg), content, style)
        pattern = load_image(cfg.style, size) if content is None else content
        steering = objective
        if self._steering is not self.backbone:
            steering = Objective(self._steering, objective.spec, content, style)
        return Stage(objective, steering, content, style, (pattern.shape[2], pattern.shape[3]))

    def _start_kind(self) -> InitKind:
        if self.cfg.init.kind is not InitKind.auto:
            return self.cfg.init.kind
        return InitKind.content if self.cfg.task is Task.transfer else InitKind.noise

    def _start_scale(self) -> float:
        """Spread of the start's noise; ``auto`` takes the content image as it is."""
        init = self.cfg.init
        plain = init.kind is InitKind.auto and self._start_kind() is InitKind.content
        return 0.0 if plain else init.scale

    @property
    def start_is_random(self) -> bool:
        """Whether the seed decides anything."""
        return self._start_scale() > 0

    def _start(self) -> Tensor:
        """The start image (1, 3, H, W)."""
        init, size, seeds = self.cfg.init, self.stage.output, [self.cfg.seed]
        kind, distribution = self._start_kind(), init.distribution.name
        if kind is InitKind.noise:
            start = inits.noise(
                seeds, size, mean=init.mean, scale=init.scale, distribution=distribution
            )
        elif kind is InitKind.smooth_noise:
            start = inits.smooth_noise(
                seeds, size,
                sigma=init.sigma, mean=init.mean, scale=init.scale, distribution=distribution,
            )  # fmt: skip
        else:
            source = {
                InitKind.content: self.cfg.content,
                InitKind.style: self.cfg.style,
                InitKind.image: str(init.image),
            }[kind]
            image = resize(load_image(source, max(size)), size)
            start = inits.from_image(
                image, seeds, scale=self._start_scale(), distribution=distribution
            )
        return start.to(self.device)

    def _optimise(self, start: Tensor, steps: int) -> Iterator[Step]:
        evaluate = engine(self.stage.steering)
        if self.precision.checked:
            evaluate = Watched(evaluate, engine(self.stage.objective))
            self._watched.append(evaluate)
        opt = self.cfg.optimizer
        decay_rate, decay_steps = opt.decay_rate or 1.0, opt.decay_steps or 100
        if opt.name is OptimizerName.lbfgs:
            return optimize.lbfgs(
                evaluate, start,
                steps=steps, lr=opt.lr, clamp=opt.clamp,
                history_size=opt.history_size or 20, guard=opt.guard or 10.0,
            )  # fmt: skip
        if opt.name is OptimizerName.adam:
            return optimize.adam(
                evaluate, start,
                steps=steps, lr=opt.lr, clamp=opt.clamp,
                decay_rate=decay_rate, decay_steps=decay_steps,
            )  # fmt: skip
        return optimize.sgd(
            evaluate, start,
            steps=steps, lr=opt.lr, clamp=opt.clamp, momentum=opt.momentum or 0.0,
            decay_rate=decay_rate, decay_steps=decay_steps,
        )  # fmt: skip

    def _timed(self, steps: Iterator[Step]) -> Iterator[tuple[Step, float]]:
        """Each step with the seconds it took; what the consumer does in between does not count."""
        while True:
            begin = time.perf_counter()
            step = next(steps, None)
            if step is None:
                return
            if self.device.type != "cpu":
                torch.accelerator.synchronize()
            yield step, time.perf_counter() - begin


def loss_spec(cfg: Config) -> LossSpec:
    """The loss group as the objective takes it, layers canonical and each with its weight."""
    content, style = layer_sets(cfg)
    loss = cfg.loss
    return LossSpec(
        content_layers=layer_weights(
            loss.content_layer_weights, content, "loss.content_layer_weights"
        ),
        style_layers=layer_weights(loss.style_layer_weights, style, "loss.style_layer_weights"),
        content_weight=loss.content_weight,
        style_weight=loss.style_weight,
        tv_weight=loss.tv_weight,
        content=loss.content.name,
        style=loss.style.name,
        tv_beta=loss.tv_beta,
        tv_reduction=loss.tv_reduction.name,
    )


def pick_device(name: str) -> torch.device:
    """``auto`` is the first of CUDA, Apple's GPU and the CPU that is there.

    Raises:
        InputError: a device this machine does not have.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    missing = (device.type == "mps" and not torch.backends.mps.is_available()) or (
        device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    )
    if missing:
        raise InputError(f"device={name}: this machine has no such device; use auto or cpu")
    return device


def _require_finite(terms: Tensor) -> None:
    if not bool(torch.isfinite(terms).all()):
        raise InputError(
            "the start image's loss is not finite; check the weights (backbone.weights), "
            "loss.* and init.scale"
        )
