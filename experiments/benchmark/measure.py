"""The parts of the benchmark, each a function from the plan to rows of numbers."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from tqdm import tqdm

import nst
from experiments.benchmark.machine import Row, ceilings, higher, operations, seconds
from experiments.benchmark.plan import DTYPES, Plan
from experiments.benchmark.race import same_loss
from experiments.benchmark.subjects import CONTENT, STYLE, baseline, network, ours, picture
from nst.runs.context import Context
from nst.runs.job import run_job
from nst.runs.recording.provenance import PeakMemory, device_name, versions

MEMORY = ("baseline", *DTYPES, *(f"{name}, checkpointing" for name in DTYPES))
"""What peak memory is measured of; ``checkpointing``: blocks are computed twice."""


def iterations(plan: Plan) -> list[Row]:
    """Seconds per iteration over sizes, networks, precisions and batches."""
    cells = [
        (name, size, precision, 1)
        for name, size, precision in itertools.product(plan.networks, plan.sizes, plan.precisions)
    ]
    cells += [("vgg19_mini", plan.sizes[0], "bfloat16", batch) for batch in plan.batches[1:]]
    rows = []
    for name, size, precision, batch in tqdm(cells, desc="iterations", unit="cell"):
        optimizer = ours(name, size, precision, batch)
        optimizer.step()  # the start, which is evaluated already
        times = seconds(optimizer.step, least=2.0)
        flops = batch * operations(network(name), size, {CONTENT}, set(STYLE))
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
        theirs, optimizer = baseline(size, cut), ours("vgg19", size, precision)
        theirs.step()
        optimizer.step()  # the start, which is evaluated already
        turns = []
        for _ in range(plan.blocks):
            a = statistics.median(seconds(theirs.step, 0.0))
            b = statistics.median(seconds(optimizer.step, 0.0))
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


def peak(subject: str, size: int) -> float:
    """Peak memory in MB that targets and two iterations add; run it in a process of its own.

    Args:
        subject: one of :data:`MEMORY`
        size: of the image, in pixels
    """
    network("vgg19")
    for sample in ("astronaut", "mosaic"):
        picture(sample, size)
    memory_used = PeakMemory("cpu")
    before = memory_used.megabytes()
    if subject == "baseline":
        step: Callable[[], object] = baseline(size, cut=False).step
    else:
        precision, _, checkpointing = subject.partition(", ")
        step = ours("vgg19", size, precision, checkpointing=bool(checkpointing)).step
    for _ in range(2):
        step()
    after = memory_used.megabytes()
    return math.nan if before is None or after is None else after - before


def memory(plan: Plan) -> list[Row]:
    """Peak memory of the baseline and of ours with VGG-19."""
    rows = []
    cells = list(itertools.product(plan.memory, MEMORY))
    for size, subject in tqdm(cells, desc="memory", unit="cell"):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            megabytes = pool.submit(peak, subject, size).result()
        rows.append({"size": size, "kind": subject, "megabytes": megabytes})
    return rows


def overhead(plan: Plan) -> list[Row]:
    """What a run costs besides its optimiser: the loop's seconds as a job runs it over the steps'.

    With ``vgg19_mini``; bar, trace and log always, W&B (offline) or nothing beside them.
    """
    size, steps = plan.overhead
    rows = []
    for logger in ("none", "wandb"):
        own = (f"logger={logger}", f"optimizer.steps={steps}")
        cfg = nst.compose("backbone=vgg19_mini", *own, size=size)
        with TemporaryDirectory() as folder:
            record = run_job(cfg, Context(Path(folder)))
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
        "machine": device_name("cpu"),
        "threads": torch.get_num_threads(),
        "versions": versions(),
        **{part: PARTS[part](plan) for part in parts},
    }
    return {**results, "ceilings": higher(before, ceilings())}
