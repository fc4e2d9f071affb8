"""N runs from their configs: pictures, network, objectives, and the steps as they come.

>>> import nst
>>> cfg = nst.compose("optimizer.steps=2", size=32)
>>> [progress.step for progress in Transfer(cfg).run()]
[0, 1, 2]

Several configs that may share a batch (:mod:`nst.runs.batches`) run at once, an image each:

>>> other = nst.compose("optimizer.steps=2", size=32, seed=1)
>>> [tuple(progress.images.shape) for progress in Transfer(cfg, other).run()]
[(2, 3, 32, 32), (2, 3, 32, 32), (2, 3, 32, 32)]
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nst.backbones.load import load_backbone
from nst.config import Config, InitKind, Task, check, start_kind
from nst.errors import InputError
from nst.gradients.chain import is_chain
from nst.gradients.engine import engine
from nst.gradients.precision import CheckedBFloat16, Precision, choose_precision
from nst.optimizers.from_config import make_optimizer
from nst.optimizers.steps import PixelOptimizer, Step, iterate
from nst.pictures import starts
from nst.pictures.files import resize
from nst.pictures.samples import load_image
from nst.runs.batches import batch_key
from nst.runs.memory import choice as memory
from nst.runs.objectives import Networks, Objectives, make_evaluator, make_objectives
from nst.runs.passes import all_passes, style_side
from nst.runs.picture_check import check_pictures, read_pictures

SETTLE_EVERY = 10
"""Steps between two waits for a GPU, which works on while the next ones are being prepared."""


@dataclass(frozen=True)
class Pass:
    """One pass of N runs at one size.

    Attributes:
        objectives: what is minimised
        contents, styles: (1, 3, H, W) in [0, 1] for each of the runs; empty where the task needs
            none; runs with the same picture share one tensor
        output: (H, W) of the images being optimised
    """

    objectives: Objectives
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
        terms: (N, K), weighted, in the order of the objective's terms
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


@dataclass(frozen=True)
class _Between:
    """Where a transfer is between two steps.

    Attributes:
        number: of the pass
        optimizer: of the pass
        restarts: (N,), of the passes before
        latest: the step that was made last
    """

    number: int
    optimizer: PixelOptimizer
    restarts: Tensor
    latest: Progress


class Transfer:
    """N runs at once: their backbone and current pass, and the steps as they come.

    Each run takes the steps that it would take alone but for float32's last bits, which the steps
    to come amplify: the pictures go apart, and their losses do not (docs/running.md).
    """

    def __init__(self, *cfgs: Config):
        """
        Args:
            cfgs: one or more; ``cfg`` is the first, whose settings all share but those that
                :mod:`nst.runs.batches` lists

        Raises:
            InputError: something that a config names is missing or cannot work.
            ValueError: configs that cannot share a batch.
        """
        for cfg in cfgs:
            check(cfg)
            check_pictures(cfg)
        if len(cfgs) > 1 and len({batch_key(cfg) for cfg in cfgs}) > 1:
            raise ValueError("these configs cannot share a batch; see nst.runs.batches")
        self.cfgs, self.cfg = cfgs, cfgs[0]
        for cfg in cfgs:
            read_pictures(cfg)
        self.device = pick_device(self.cfg.device)
        self.precision = precision_of(self.cfg, self.device)
        self.memory = memory.choose(cfgs, self.precision, self.device)
        backbone = self.cfg.backbone
        self.backbone = load_backbone(
            backbone.name.name,
            backbone.weights,
            backbone.pooling.name,
            seed=backbone.seed,
            device=self.device,
            pixels=backbone.input.name,
            normalize=backbone.normalize_activations,
        )
        self._networks = Networks(self.backbone, self.precision)
        self._first = self.current = self._pass(all_passes(self.cfg)[0][0])
        self._checked: CheckedBFloat16 | None = None
        self._fell_back: list[str | None] = []  # of earlier passes
        self._between: _Between | None = None

    @property
    def fell_back(self) -> str | None:
        """Why a pass of the latest run went back to float32, or None where none did."""
        reasons = [*self._fell_back, self._checked.fell_back if self._checked else None]
        return "; ".join(filter(None, reasons)) or None

    @property
    def total_steps(self) -> int:
        """Updates of all passes together."""
        return sum(steps for _, steps in all_passes(self.cfg))

    def run(self, state: Mapping[str, Any] | None = None) -> Iterator[Progress]:
        """Optimise; yields the start image and then every step of every pass.

        Args:
            state: of :meth:`state_dict`, to go on from; its step is yielded in place of the start

        Raises:
            InputError: a start image's loss is not finite.
            ValueError: a state of other runs.
        """
        passes = all_passes(self.cfg)
        self._checked, self._between = None, None
        self._fell_back = [] if state is None else list(state["fell_back"])
        first = 0 if state is None else int(state["pass"])
        self.current = self._first if first == 0 else self._pass(passes[first][0])
        done = self._start_progress() if state is None else self._progress_of(state)
        if state is not None:
            yield done
        for number, (size, steps) in enumerate(passes[first:], start=first):
            if number > first:
                self._between = None
                self.current = self._pass(size)
                self._fell_back += [self._checked.fell_back] if self._checked else []
                done = replace(done, images=resize(done.images, self.current.output))
            going_on = state if number == first else None
            for progress in self._one_pass(number, steps, done, going_on):
                done = progress
                # the start of a later pass is the last image of the one before, at another size
                if number == 0 or progress.step > self._passed(number):
                    yield progress

    def _start_progress(self) -> Progress:
        """The start images, before anything is evaluated."""
        images = torch.cat([self._start(cfg) for cfg in self.cfgs]).to(self.device)
        restarts = torch.zeros(len(self.cfgs), dtype=torch.int64, device=self.device)
        return Progress(0, 0.0, images, images.new_zeros(len(self.cfgs), 0), restarts, True)

    def _progress_of(self, state: Mapping[str, Any]) -> Progress:
        """The step that a state was taken at."""
        on_device = {name: state[name].to(self.device) for name in ("images", "terms", "restarts")}
        return Progress(state["step"], state["seconds"], settled=True, **on_device)

    def _passed(self, number: int) -> int:
        """Steps of all passes before this one."""
        return sum(steps for _, steps in all_passes(self.cfg)[:number])

    def _one_pass(
        self, number: int, steps: int, done: Progress, state: Mapping[str, Any] | None
    ) -> Iterator[Progress]:
        """The steps of one pass, from its start image or from a state within it.

        Args:
            number: of the pass
            steps: it takes
            done: what there is at its beginning; images of its size
            state: to go on from
        """
        before, seconds = self._passed(number), done.seconds
        # contiguous are the optimiser's vectors; backbones turn the images themselves
        optimizer = self._optimizer(done.images.contiguous(), steps)
        restarts = done.restarts
        if state is not None:
            optimizer.load_state_dict(state["optimizer"])
            if self._checked and state["precision"]:
                self._checked.load_state_dict(state["precision"], self.device)
            restarts = state["restarts_before"].to(self.device)
        timed = self._timed(iterate(optimizer, steps), before, before + steps)
        for step, spent, settled in timed:
            seconds += spent
            if step.index == 0:
                _require_finite(step.terms)
            total = restarts + step.restarts
            latest = Progress(before + step.index, seconds, step.images, step.terms, total, settled)
            self._between = _Between(number, optimizer, restarts, latest)
            yield latest
            if step.index < steps:  # while a step is being made, there is no state to go on from
                self._between = None

    def state_dict(self) -> dict[str, Any] | None:
        """What :meth:`run` needs to go on after the step that it has yielded last.

        The continued run makes the same steps; on a CPU its pictures are the same, bit for bit,
        with the same version of torch and as many threads.

        Returns:
            Tensors, numbers, strings and mappings of those; None while a step is being made.
        """
        if self._between is None:
            return None
        number, latest = self._between.number, self._between.latest
        return {
            "pass": number,
            "step": latest.step,
            "seconds": latest.seconds,
            "images": latest.images,
            "terms": latest.terms,
            "restarts": latest.restarts,
            "restarts_before": self._between.restarts,
            "optimizer": self._between.optimizer.state_dict(),
            "precision": self._checked.state_dict() if self._checked else None,
            "fell_back": self._fell_back,
        }

    def _pass(self, size: int) -> Pass:
        cfgs, task = self.cfgs, self.cfg.task
        contents: tuple[Tensor, ...] = ()
        styles: tuple[Tensor, ...] = ()
        if task is not Task.texture:
            contents = self._pictures([(cfg.content, size) for cfg in cfgs])
        if task is not Task.content:
            styles = self._pictures([(cfg.style, style_side(cfg, size)) for cfg in cfgs])
        objectives = make_objectives(cfgs, self._networks, contents, styles)
        pattern = contents[0] if contents else load_image(self.cfg.style, size)
        return Pass(objectives, contents, styles, (pattern.shape[2], pattern.shape[3]))

    def _pictures(self, sources: Sequence[tuple[str, int]]) -> tuple[Tensor, ...]:
        """(source, longest side) → (1, 3, H, W) each; a picture needed twice is loaded once."""
        loaded = {key: load_image(*key).to(self.device) for key in dict.fromkeys(sources)}
        return tuple(loaded[key] for key in sources)

    def start(self, number: int) -> Tensor:
        """The start image of one of the runs (1, 3, H, W)."""
        return self._start(self.cfgs[number])

    def _start(self, cfg: Config) -> Tensor:
        """The start image of one run (1, 3, H, W), of the first pass's size."""
        init, size, seeds = cfg.init, self._first.output, [cfg.seed]
        kind, distribution = start_kind(cfg), init.distribution.name
        if kind is InitKind.noise:
            return starts.noise(
                seeds, size, mean=init.mean, amplitude=init.amplitude, distribution=distribution
            )
        if kind is InitKind.smooth_noise:
            assert init.sigma is not None  # the checks want it here
            return starts.smooth_noise(
                seeds, size,
                sigma=init.sigma, mean=init.mean, amplitude=init.amplitude,
                distribution=distribution,
            )  # fmt: skip
        source = {
            InitKind.content: cfg.content,
            InitKind.style: cfg.style,
            InitKind.image: str(init.image),
        }[kind]
        image = resize(load_image(source, max(size)), size)
        return starts.from_image(
            image, seeds, amplitude=_start_amplitude(cfg), distribution=distribution
        )

    def _optimizer(self, start: Tensor, steps: int) -> PixelOptimizer:
        evaluator = make_evaluator(self.current.objectives, self.precision, self.memory.checkpoint)
        self._checked = evaluator.checked
        return make_optimizer(self.cfg.optimizer, evaluator.evaluate, start, steps)

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
        return self.device.type == "cpu" or due or step == last or step % SETTLE_EVERY == 0

    @torch.no_grad()
    def final_losses(self, images: Tensor) -> Tensor:
        """Each term's loss before its weight, of finished images in float32 (N, K).

        All terms are computed, also those whose weight is 0, with little memory.
        """
        objective = self.current.objectives.exact.unweighted()
        if is_chain(self.backbone):
            return engine(objective, checkpointing=True)(images)[0]
        terms: Tensor = objective(images)
        return terms


def _start_amplitude(cfg: Config) -> float:
    """Spread of the start's noise; ``auto`` takes the content image as it is."""
    plain = cfg.init.kind is InitKind.auto and start_kind(cfg) is InitKind.content
    return 0.0 if plain else cfg.init.amplitude


def start_is_random(cfg: Config) -> bool:
    """Whether the seed decides anything."""
    return _start_amplitude(cfg) > 0


def pick_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is one, else Apple's GPU, else the CPU.

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
    return choose_precision(cfg.precision.name, device, nears_zero=cfg.task is not Task.transfer)


def _require_finite(terms: Tensor) -> None:
    if not bool(torch.isfinite(terms).all()):
        raise InputError(
            "the start image's loss is not finite; check the weights (backbone.weights), "
            "loss.* and init.amplitude"
        )
