"""How fast, against how public implementations work, and how near to the machine's limit?

Question: seconds per iteration and peak memory over sizes, networks, precisions and batches; the
ratio to ``experiments.benchmark.baseline``, measured A B A B in one process; the time to the loss that the
baseline has after 300 iterations; the share of the machine's own ceiling.
Command: ``python -m experiments.benchmark.measure`` (about an hour and a half on one busy core,
two thirds of it for the time to the same loss), ``--quick`` for a look (two minutes),
``--only versus memory`` for parts of it.
Finding: docs/performance.md, which it writes with its plots, and ``outputs/benchmark.json``.

VGG-19 has random filters, on which time does not depend; where the loss counts, a dictionary's.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from experiments.benchmark import page as performance_page
from experiments.benchmark.baseline import Baseline, TappedNetwork
from nst.backbones.network import Backbone, load_backbone
from nst.config import Config, LoggerConfig, LoggerName
from nst.gradients.precision import Watched, choose, engine
from nst.losses.objective import LossSpec, Objective
from nst.optimizers import optimize
from nst.pictures.samples import load_image
from nst.runs import folder as records
from nst.runs import job

CONTENT = "relu_10"
STYLE = ("relu_1", "relu_3", "relu_5", "relu_9", "relu_13")
STYLE_WEIGHT = {"vgg19_mini": 1e2, "vgg19": 1e4}
"""`mean` divides a Gram error by C⁴; with less, torch drops every pair, as sᵀy is below 1e-10."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
MEMORY = ("baseline", *DTYPES, *(f"{name}, checkpoint" for name in DTYPES))
NETWORKS = ("vgg19_mini", "vgg19")
WEIGHTS = {"vgg19_mini": "shipped", "vgg19": "random"}
JUDGED = 5
"""Steps between two looks at our loss in float32, on the way to the baseline's."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What to measure; sizes in pixels of a square image.

    Attributes:
        versus: sizes for the comparison with the baseline
        blocks: how often A and B take turns there
        same_loss: network, size and the baseline's iterations of comparisons at the same loss
        overhead: size and steps of the run whose records, bar and W&B are measured
    """

    sizes: tuple[int, ...] = (128, 256, 512, 1024)
    batches: tuple[int, ...] = (1, 4, 16)
    versus: tuple[int, ...] = (256, 512)
    memory: tuple[int, ...] = (512, 1024)
    blocks: int = 5
    same_loss: tuple[tuple[str, int, int], ...] = (
        ("vgg19_mini", 256, 300),
        ("vgg19, dictionary", 256, 300),
        ("vgg19, dictionary", 512, 300),
    )
    overhead: tuple[int, int] = (256, 300)


QUICK = Plan((64, 128), (1, 2), (128,), (128,), 3, (("vgg19_mini", 64, 20),), (128, 30))


@functools.cache
def network(name: str, precision: str = "float32") -> Backbone:
    """A backbone, loaded once; its weights may follow behind its name: ``vgg19, dictionary``."""
    if precision != "float32":
        return network(name).in_precision(DTYPES[precision])
    backbone, _, weights = name.partition(", ")
    return load_backbone(backbone, weights or WEIGHTS[backbone], "avg")


@functools.cache
def picture(sample: str, size: int) -> Tensor:
    """A square picture (1, 3, size, size)."""
    return load_image(sample, 2 * size)[..., :size, :size].contiguous()


def style_weights(name: str) -> dict[str, float]:
    """{layer: weight} for a network."""
    return dict.fromkeys(STYLE, STYLE_WEIGHT[name.partition(", ")[0]])


def objective(name: str, size: int, precision: str) -> Objective:
    """The usual five style layers and one content layer."""
    spec = LossSpec({CONTENT: 1.0}, style_weights(name), content="mean", style="mean")
    return Objective(
        network(name, precision), spec, picture("astronaut", size), picture("mosaic", size)
    )


def ours(
    name: str,
    size: int,
    precision: str,
    batch: int = 1,
    clamp: bool = True,
    checkpoint: bool = False,
) -> Iterator[optimize.Step]:
    """Our steps, from the content image, without end."""
    images = picture("astronaut", size).repeat(batch, 1, 1, 1)
    return optimize.lbfgs(
        engine(objective(name, size, precision), checkpoint), images, steps=10**9, clamp=clamp
    )


def baseline(size: int, cut: bool, name: str = "vgg19") -> Baseline:
    """The baseline's steps; cut: the network ends after the last layer that is needed."""
    plain = TappedNetwork(network(name), "relu_13" if cut else None)
    pictures = picture("astronaut", size), picture("mosaic", size)
    return Baseline(plain, *pictures, CONTENT, style_weights(name))


def seconds(step: Callable[[], object], least: float = 1.0, most: int = 20) -> list[float]:
    """Times of single steps, for at least so many seconds or at most so many steps."""
    times: list[float] = []
    while len(times) < 2 or (sum(times) < least and len(times) < most):
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return times


# --- what the machine can do -------------------------------------------------------------------


def operations(backbone: Backbone, size: int, layers: set[str]) -> float:
    """Floating-point operations of one iteration: convolutions and Gram matrices, both ways.

    Those of direct convolutions, however they are made: with fewer products (:mod:`nst.backbones.winograd`)
    the rate is an effective one, and its share of the ceiling may exceed 100 %.
    """
    deepest = max(list(backbone.chain).index(layer) for layer in layers)
    side, channels, total = size, 3, 0.0
    for name, stage in list(backbone.chain.items())[: deepest + 1]:
        if isinstance(stage, nn.Conv2d):
            channels = stage.out_channels
            total += 2 * 2 * stage.weight.numel() * side**2  # forwards, and back to the input
        elif not isinstance(stage, nn.ReLU):
            side //= 2
        if name in layers - {CONTENT}:
            total += 2 * 2 * channels**2 * side**2
    return total


def ceilings() -> Row:
    """Best rates of a large matrix product, a large convolution and a large copy."""
    found: Row = {}
    for name, dtype in DTYPES.items():
        a = torch.randn(2048, 2048).to(dtype)
        x = torch.randn(1, 256, 128, 128).to(dtype, memory_format=torch.channels_last)
        w = torch.randn(256, 256, 3, 3).to(dtype, memory_format=torch.channels_last)
        product = min(seconds(functools.partial(torch.mm, a, a)))
        convolution = min(seconds(functools.partial(torch.conv2d, x, w, padding=1)))
        found[name] = {
            "matmul": 2 * 2048**3 / product / 1e9,
            "convolution": 2 * w.numel() * 128**2 / convolution / 1e9,
        }
    source = torch.randn(1 << 26)
    target = torch.empty_like(source)
    copied = min(seconds(lambda: target.copy_(source)))
    found["copy"] = 2 * source.numel() * 4 / copied / 1e9
    return found


# --- the measurements --------------------------------------------------------------------------


def iterations(plan: Plan) -> list[Row]:
    """Seconds per iteration over sizes, networks, precisions and batches."""
    cells = [
        (name, size, precision, 1)
        for name, size, precision in itertools.product(NETWORKS, plan.sizes, DTYPES)
    ]
    cells += [("vgg19_mini", plan.sizes[0], "bfloat16", batch) for batch in plan.batches[1:]]
    rows = []
    for name, size, precision, batch in tqdm(cells, desc="iterations", unit="cell"):
        steps = ours(name, size, precision, batch)
        next(steps)
        times = seconds(functools.partial(next, steps), least=2.0)
        flops = batch * operations(network(name), size, {CONTENT, *STYLE})
        rows.append(
            {
                "backbone": name,
                "size": size,
                "precision": precision,
                "batch": batch,
                "seconds": statistics.median(times),
                "gflop": flops / 1e9,
            }
        )
    return rows


def versus(plan: Plan) -> list[Row]:
    """Turns of the baseline and of ours: ratios of neighbouring turns, their median and range."""
    rows = []
    cells = list(itertools.product(plan.versus, (False, True), DTYPES))
    for size, cut, precision in tqdm(cells, desc="against the baseline", unit="cell"):
        theirs, steps = baseline(size, cut), ours("vgg19", size, precision)
        theirs.step()
        next(steps)
        turns = []
        for _ in range(plan.blocks):
            a = statistics.median(seconds(theirs.step, 0.0))
            b = statistics.median(seconds(functools.partial(next, steps), 0.0))
            turns.append((a, b))
        ratios = [a / b for a, b in turns]
        rows.append(
            {
                "size": size,
                "baseline": "cut" if cut else "whole",
                "precision": precision,
                "seconds_baseline": statistics.median(a for a, _ in turns),
                "seconds_ours": statistics.median(b for _, b in turns),
                "ratio": statistics.median(ratios),
                "low": min(ratios),
                "high": max(ratios),
            }
        )
    return rows


class Racer:
    """Ours on the way to the baseline's loss, as a transfer goes it, judged in float32.

    In the precision that ``auto`` takes here. Without clamping, as in the baseline: pixels outside
    [0, 1] lower the loss.

    Attributes:
        seen: (step, seconds of optimisation, loss), every few steps
    """

    def __init__(self, name: str, size: int):
        self.exact, self.seconds, self.number = objective(name, size, "float32"), 0.0, -1
        self.seen: list[tuple[int, float, float]] = []
        self._watch: Watched | None = None
        precision = choose("auto", torch.device("cpu"), to_zero=False)
        evaluate = engine(objective(name, size, precision.name))
        if precision.checked:
            evaluate = self._watch = Watched(evaluate, engine(self.exact, checkpoint=True))
        self._steps = optimize.lbfgs(evaluate, picture("astronaut", size), steps=10**9)

    @property
    def fell_back(self) -> str | None:
        """As :attr:`nst.gradients.precision.Watched.fell_back`."""
        return self._watch.fell_back if self._watch else None

    def step(self) -> None:
        """One step."""
        begin = time.perf_counter()
        step = next(self._steps)
        self.seconds += time.perf_counter() - begin
        self.number += 1
        if self.number % JUDGED == 0:
            with torch.no_grad():
                loss = float(self.exact(step.images).sum())
            self.seen.append((self.number, self.seconds, loss))

    def reached(self, goal: float) -> tuple[int, float, float] | None:
        """When the loss was first as low as that, or None."""
        return next((seen for seen in self.seen if seen[2] <= goal), None)


def same_loss(plan: Plan) -> list[Row]:
    """Time to the loss that the baseline has after so many iterations, in turns."""
    return [_race(*race) for race in plan.same_loss]


def _race(name: str, size: int, count: int) -> Row:
    theirs, spent = baseline(size, cut=False, name=name), 0.0
    racer = Racer(name, size)
    for _ in tqdm(range(count), desc=f"{name} {size} px, in turns", unit="step"):
        begin = time.perf_counter()
        theirs.step()
        spent += time.perf_counter() - begin
        racer.step()
    goal = min(theirs.losses)
    while racer.reached(goal) is None and racer.number < 3 * count:
        racer.step()
    steps, seconds, reached = racer.reached(goal) or racer.seen[-1]
    return {
        **{"backbone": name, "size": size, "fell_back": racer.fell_back},
        **{"loss": goal, "reached": reached, "steps": steps, "seconds": seconds},
        **{"baseline_steps": count, "baseline_seconds": spent, "ratio": spent / seconds},
    }


def peak(kind: str, size: int) -> float:
    """Peak memory in MB that targets and two iterations add; run it in a process of its own.

    Args:
        kind: ``baseline`` or a precision, with ``, checkpoint`` behind it where blocks are computed
            twice
    """
    network("vgg19")
    for sample in ("astronaut", "mosaic"):
        picture(sample, size)
    watch = records.PeakMemory("cpu")
    before = watch.megabytes()
    if kind == "baseline":
        step: Callable[[], object] = baseline(size, cut=False).step
    else:
        precision, _, checkpoint = kind.partition(", ")
        step = functools.partial(next, ours("vgg19", size, precision, checkpoint=bool(checkpoint)))
    for _ in range(2):
        step()
    after = watch.megabytes()
    return math.nan if before is None or after is None else after - before


def memory(plan: Plan) -> list[Row]:
    """Peak memory of the baseline and of ours with VGG-19."""
    rows = []
    cells = list(itertools.product(plan.memory, MEMORY))
    for size, kind in tqdm(cells, desc="memory", unit="cell"):
        fresh = get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=fresh) as pool:
            rows.append(
                {"size": size, "kind": kind, "megabytes": pool.submit(peak, kind, size).result()}
            )
    return rows


def overhead(plan: Plan) -> list[Row]:
    """What a run costs besides its optimiser: the loop's seconds as a job runs it over the steps'.

    With ``vgg19_mini``; bar, trace and log always, W&B (offline) or nothing beside them.
    """
    size, steps = plan.overhead
    rows = []
    for logger in ("none", "wandb"):
        cfg = Config(size=size, logger=LoggerConfig(LoggerName[logger]))
        cfg.optimizer.steps = steps
        with TemporaryDirectory() as folder:
            record = job.run_job(cfg, job.Context(Path(folder)))
        loop, inside = record["loop_seconds"], record["batch_seconds"]
        rows.append(
            {
                **{"size": size, "steps": steps, "logger": logger, "loop": loop},
                **{"optimiser": inside, "share": 1 - inside / loop},
            }
        )
    return rows


PARTS: dict[str, Callable[[Plan], list[Row]]] = {
    "versus": versus,
    "iterations": iterations,
    "memory": memory,
    "same_loss": same_loss,
    "overhead": overhead,
}


def measure(plan: Plan, parts: Sequence[str] = tuple(PARTS)) -> Row:
    """Everything, or some parts, as JSON's types; of ceilings before and after the higher."""
    before = ceilings()
    results: Row = {
        "machine": records.device_name("cpu"),
        "threads": torch.get_num_threads(),
        "versions": records.versions(),
        **{part: PARTS[part](plan) for part in parts},
    }
    return {**results, "ceilings": higher(before, ceilings())}


def higher(a: Row, b: Row) -> Row:
    """The larger of every number of two nested mappings."""
    return {k: higher(v, b[k]) if isinstance(v, dict) else max(v, b[k]) for k, v in a.items()}


def main() -> None:
    """Measure, keep the numbers, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, few turns")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART",
                        help=f"the rest as it was: {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--threads", type=int, default=0, help="0: as many as torch takes")
    parser.add_argument("--results", type=Path, default=Path("outputs/benchmark.json"))
    parser.add_argument("--page", type=Path, help="default: docs/performance.md, none if quick")
    parser.add_argument("--only-page", action="store_true", help="from results that are there")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if not arguments.only_page:
        before = json.loads(arguments.results.read_text()) if arguments.results.is_file() else {}
        results = {**before, **measure(QUICK if arguments.quick else Plan(), arguments.only)}
        arguments.results.parent.mkdir(parents=True, exist_ok=True)
        arguments.results.write_text(json.dumps(results, indent=1))
    results = json.loads(arguments.results.read_text())
    page = arguments.page or (None if arguments.quick else Path("docs/performance.md"))
    if missing := PARTS.keys() - results.keys():
        tqdm.write(f"no page is written: {arguments.results} lacks {', '.join(sorted(missing))}")
        page = None
    print(performance_page.write(results, page))


if __name__ == "__main__":
    main()
