"""The only place where a :class:`~nst.config.Config` becomes objects.

>>> from nst.config import Config
>>> cfg = Config(size=32)
>>> cfg.optimizer.steps = 2
>>> [progress.step for progress in Transfer(cfg).run()]
[0, 1, 2]

Several configs that may share a batch (:mod:`nst.batching`) run at once, an image each:

>>> other = Config(size=32, seed=1)
>>> other.optimizer.steps = 2
>>> [tuple(progress.images.shape) for progress in Transfer(cfg, other).run()]
[(2, 3, 32, 32), (2, 3, 32, 32), (2, 3, 32, 32)]
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nst import explicit, inits, memory, optimize
from nst.backbones import load_backbone
from nst.batching import batch_key
from nst.config import (
    Config,
    InitKind,
    OptimizerName,
    Task,
    check,
    layer_sets,
    layer_weights,
    start_kind,
)
from nst.errors import InputError
from nst.images import resize
from nst.objective import LossSpec, Objective
from nst.optimize import Step
from nst.passes import all_passes, style_side
from nst.precision import Precision, Watched, choose, engine
from nst.samples import load_image
from nst.winograd import Convolutions

BLOCK = 10
"""Steps between two waits for a GPU, which works on while the next ones are being prepared."""


@dataclass(frozen=True)
class Stage:
    """One pass of a run at one size: the pictures as tensors, and the objective they define.

    Attributes:
        objective: in float32
        steering: the same in the precision of the run's steps
        contents, styles: (1, 3, H, W) in [0, 1] for each of the N runs; empty where the task needs
            none; runs with the same picture share one tensor
        output: (H, W) of the images being optimised
    """

    objective: Objective
    steering: Objective
    contents: tuple[Tensor, ...]
    styles: tuple[Tensor, ...]
    output: tuple[int, int]


@dataclass(frozen=True)
class Progress:
    """One step of N runs.

    Attributes:
        step: counted through all passes; 0 is the start image
        seconds: of optimisation so far, all N together; in between settled steps a GPU may lag
            behind
        images: (N, 3, H, W), not clamped
        terms: (N, K), weighted, in the order of ``objective.names``
        restarts: (N,), how often the guard went back to the best image
        settled: whether the device was waited for, so that reading a number does not wait: every
            tenth step, a pass's last, and where a snapshot is due; on a CPU always
    """

    step: int
    seconds: float
    images: Tensor
    terms: Tensor
    restarts: Tensor
    settled: bool


class Transfer:
    """N runs at once: their backbone and current stage, and the steps as they come.

    Each run takes the steps that it would take alone, up to rounding.
    """

    def __init__(self, *cfgs: Config):
        """
        Args:
            cfgs: one or more; ``cfg`` is the first, whose settings all share but those that
                :mod:`nst.batching` lists

        Raises:
            InputError: something that a config names is missing or cannot work.
            ValueError: configs that cannot share a batch.
        """
        for cfg in cfgs:
            check(cfg)
        if len(cfgs) > 1 and len({batch_key(cfg) for cfg in cfgs}) > 1:
            raise ValueError("these configs cannot share a batch; see nst.batching")
        self.cfgs, self.cfg = cfgs, cfgs[0]
        cfg = self.cfg
        self.device = pick_device(cfg.device)
        self.precision = precision_of(cfg, self.device)
        backbone = cfg.backbone
        self.backbone = load_backbone(
            backbone.name.name,
            backbone.weights,
            backbone.pooling.name,
            seed=backbone.seed,
            device=self.device,
        )
        self._steering = self.backbone.in_precision(self.precision.dtype)
        self._convolutions = {b: Convolutions() for b in (self.backbone, self._steering)}
        self.memory = memory.choose(cfgs, self.backbone, self.precision, self.device)
        self._first = self.stage = self._stage(all_passes(cfg)[0][0])
        self._watched: list[Watched] = []

    @property
    def fell_back(self) -> str | None:
        """Why a pass of the latest run went back to float32, or None where none did."""
        return "; ".join(w.fell_back for w in self._watched if w.fell_back) or None

    @property
    def total_steps(self) -> int:
        """Updates of all passes together."""
        return sum(steps for _, steps in all_passes(self.cfg))

    def run(self) -> Iterator[Progress]:
        """Optimise; yields the start image and then every step of every pass.

        Raises:
            InputError: a start image's loss is not finite.
        """
        self.stage, self._watched = self._first, []
        images = torch.cat([self._start(cfg) for cfg in self.cfgs]).to(self.device)
        done, seconds = 0, 0.0
        restarts = torch.zeros(len(self.cfgs), dtype=torch.int64, device=self.device)
        for number, (size, steps) in enumerate(all_passes(self.cfg)):
            if number:
                self.stage = self._stage(size)
                images = resize(images, self.stage.output)
            images = images.contiguous()  # the optimiser's vectors; backbones turn them themselves
            timed = self._timed(self._optimise(images, steps), done, done + steps)
            for step, spent, settled in timed:
                seconds += spent
                images = step.images
                if step.index == 0:
                    _require_finite(step.terms)
                    if number:  # the last image of the pass before, at another size
                        continue
                trips = restarts + step.restarts
                yield Progress(done + step.index, seconds, images, step.terms, trips, settled)
            done, restarts = done + steps, restarts + step.restarts

    def _stage(self, size: int) -> Stage:
        cfgs, task = self.cfgs, self.cfg.task
        contents: tuple[Tensor, ...] = ()
        styles: tuple[Tensor, ...] = ()
        if task is not Task.texture:
            contents = self._pictures([(cfg.content, size) for cfg in cfgs])
        if task is not Task.content:
            styles = self._pictures([(cfg.style, style_side(cfg, size)) for cfg in cfgs])
        specs = [loss_spec(cfg) for cfg in cfgs]
        targets = (_batch(contents) if contents else None, styles or None)
        made = {b: Objective(b, specs, *targets, kept) for b, kept in self._convolutions.items()}
        objective, steering = made[self.backbone], made[self._steering]
        pattern = contents[0] if contents else load_image(self.cfg.style, size)
        return Stage(objective, steering, contents, styles, (pattern.shape[2], pattern.shape[3]))

    def _pictures(self, wanted: Sequence[tuple[str, int]]) -> tuple[Tensor, ...]:
        """(source, longest side) → (1, 3, H, W) each; what is wanted twice is loaded once."""
        loaded = {key: load_image(*key).to(self.device) for key in dict.fromkeys(wanted)}
        return tuple(loaded[key] for key in wanted)

    def _start(self, cfg: Config) -> Tensor:
        """The start image of one run (1, 3, H, W)."""
        init, size, seeds = cfg.init, self.stage.output, [cfg.seed]
        kind, distribution = start_kind(cfg), init.distribution.name
        if kind is InitKind.noise:
            return inits.noise(
                seeds, size, mean=init.mean, scale=init.scale, distribution=distribution
            )
        if kind is InitKind.smooth_noise:
            return inits.smooth_noise(
                seeds, size,
                sigma=init.sigma, mean=init.mean, scale=init.scale, distribution=distribution,
            )  # fmt: skip
        source = {
            InitKind.content: cfg.content,
            InitKind.style: cfg.style,
            InitKind.image: str(init.image),
        }[kind]
        image = resize(load_image(source, max(size)), size)
        return inits.from_image(image, seeds, scale=_start_scale(cfg), distribution=distribution)

    def _optimise(self, start: Tensor, steps: int) -> Iterator[Step]:
        evaluate = engine(self.stage.steering, self.memory.checkpoint)
        if self.precision.checked:  # a few evaluations, which are not to need the most memory
            evaluate = Watched(evaluate, engine(self.stage.objective, checkpoint=True))
            self._watched.append(evaluate)
        opt = self.cfg.optimizer
        decay_rate, decay_steps = opt.decay_rate or 1.0, opt.decay_steps or 100
        if opt.name is OptimizerName.lbfgs:
            return optimize.lbfgs(
                evaluate, start,
                steps=steps, lr=opt.lr, clamp=opt.clamp,
                history_size=opt.history_size or 20, scaling=opt.scaling or 2.0,
                guard=opt.guard or 10.0,
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

    def _timed(
        self, steps: Iterator[Step], first: int, last: int
    ) -> Iterator[tuple[Step, float, bool]]:
        """Each step, the seconds it took, and whether it is settled.

        What the consumer does in between does not count.

        Args:
            first, last: of the pass, counted through all passes
        """
        while True:
            begin = time.perf_counter()
            step = next(steps, None)
            if step is None:
                return
            settled = self._settles(first + step.index, last)
            if settled and self.device.type != "cpu":
                torch.accelerator.synchronize()
            yield step, time.perf_counter() - begin, settled

    def _settles(self, step: int, last: int) -> bool:
        due = any(cfg.snapshot_every and step % cfg.snapshot_every == 0 for cfg in self.cfgs)
        return self.device.type == "cpu" or due or step == last or step % BLOCK == 0

    @torch.no_grad()
    def final_terms(self, images: Tensor) -> Tensor:
        """The weighted terms of finished images in float32 (N, K), with little memory."""
        if explicit.supports(self.backbone):
            return engine(self.stage.objective, checkpoint=True)(images)[0]
        terms: Tensor = self.stage.objective(images)
        return terms


def _start_scale(cfg: Config) -> float:
    """Spread of the start's noise; ``auto`` takes the content image as it is."""
    plain = cfg.init.kind is InitKind.auto and start_kind(cfg) is InitKind.content
    return 0.0 if plain else cfg.init.scale


def start_is_random(cfg: Config) -> bool:
    """Whether the seed decides anything."""
    return _start_scale(cfg) > 0


def _batch(pictures: Sequence[Tensor]) -> Tensor:
    """Pictures of one size as a batch: (1, 3, H, W) where all are the same, else (N, 3, H, W)."""
    same = all(picture is pictures[0] for picture in pictures)
    return pictures[0] if same else torch.cat(list(pictures))


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
        patch_weight=loss.patch_weight,
        content=loss.content.name,
        style=loss.style.name,
        style_shift=loss.style_shift,
        style_neighbours=loss.style_neighbours,
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


def largest_batch(cfg: Config) -> int:
    """How many runs like this one are thought to fit into memory at once."""
    device = pick_device(cfg.device)
    return memory.largest_batch(cfg, precision_of(cfg, device), device)


def precision_of(cfg: Config, device: torch.device) -> Precision:
    """The number format of a run."""
    return choose(cfg.precision.name, device, to_zero=cfg.task is not Task.transfer)


def _require_finite(terms: Tensor) -> None:
    if not bool(torch.isfinite(terms).all()):
        raise InputError(
            "the start image's loss is not finite; check the weights (backbone.weights), "
            "loss.* and init.scale"
        )
