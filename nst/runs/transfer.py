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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nst.backbones.load import load_backbone
from nst.config import Config, InitKind, Task, check, start_kind
from nst.errors import InputError
from nst.gradients.chain import is_chain
from nst.gradients.engine import engine
from nst.gradients.precision import CheckedBFloat16, Precision, choose_precision
from nst.optimizers.from_config import make_optimizer
from nst.optimizers.steps import Step, iterate
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


class Transfer:
    """N runs at once: their backbone and current pass, and the steps as they come.

    Each run takes the steps that it would take alone, up to rounding.
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
        self._checked: list[CheckedBFloat16] = []

    @property
    def fell_back(self) -> str | None:
        """Why a pass of the latest run went back to float32, or None where none did."""
        return "; ".join(c.fell_back for c in self._checked if c.fell_back) or None

    @property
    def total_steps(self) -> int:
        """Updates of all passes together."""
        return sum(steps for _, steps in all_passes(self.cfg))

    def run(self) -> Iterator[Progress]:
        """Optimise; yields the start image and then every step of every pass.

        Raises:
            InputError: a start image's loss is not finite.
        """
        self.current, self._checked = self._first, []
        images = torch.cat([self._start(cfg) for cfg in self.cfgs]).to(self.device)
        steps_before, seconds = 0, 0.0
        restarts = torch.zeros(len(self.cfgs), dtype=torch.int64, device=self.device)
        for number, (size, steps) in enumerate(all_passes(self.cfg)):
            if number:
                self.current = self._pass(size)
                images = resize(images, self.current.output)
            images = images.contiguous()  # the optimiser's vectors; backbones turn them themselves
            timed = self._timed(self._steps(images, steps), steps_before, steps_before + steps)
            for step, spent, settled in timed:
                seconds += spent
                images = step.images
                if step.index == 0:
                    _require_finite(step.terms)
                    if number:  # the last image of the pass before, at another size
                        continue
                total = restarts + step.restarts
                yield Progress(
                    steps_before + step.index, seconds, images, step.terms, total, settled
                )
            steps_before, restarts = steps_before + steps, restarts + step.restarts

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

    def _start(self, cfg: Config) -> Tensor:
        """The start image of one run (1, 3, H, W)."""
        init, size, seeds = cfg.init, self.current.output, [cfg.seed]
        kind, distribution = start_kind(cfg), init.distribution.name
        if kind is InitKind.noise:
            return starts.noise(
                seeds, size, mean=init.mean, scale=init.scale, distribution=distribution
            )
        if kind is InitKind.smooth_noise:
            assert init.sigma is not None  # the checks want it here
            return starts.smooth_noise(
                seeds, size,
                sigma=init.sigma, mean=init.mean, scale=init.scale, distribution=distribution,
            )  # fmt: skip
        source = {
            InitKind.content: cfg.content,
            InitKind.style: cfg.style,
            InitKind.image: str(init.image),
        }[kind]
        image = resize(load_image(source, max(size)), size)
        return starts.from_image(image, seeds, scale=_start_scale(cfg), distribution=distribution)

    def _steps(self, start: Tensor, steps: int) -> Iterator[Step]:
        evaluator = make_evaluator(self.current.objectives, self.precision, self.memory.checkpoint)
        if evaluator.checked is not None:
            self._checked.append(evaluator.checked)
        optimizer = make_optimizer(self.cfg.optimizer, evaluator.evaluate, start, steps)
        yield from iterate(optimizer, steps)

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


def _start_scale(cfg: Config) -> float:
    """Spread of the start's noise; ``auto`` takes the content image as it is."""
    plain = cfg.init.kind is InitKind.auto and start_kind(cfg) is InitKind.content
    return 0.0 if plain else cfg.init.scale


def start_is_random(cfg: Config) -> bool:
    """Whether the seed decides anything."""
    return _start_scale(cfg) > 0


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
            "loss.* and init.scale"
        )
