"""The estimate against the bytes that tensors really take, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from nst.backbones.load import build
from nst.config import Config
from nst.errors import InputError
from nst.gradients.precision import Precision
from nst.optimizers.from_config import make_optimizer
from nst.optimizers.steps import iterate
from nst.runs.context import Context
from nst.runs.job import run_job
from nst.runs.memory import choice as memory
from nst.runs.memory.free import available
from nst.runs.memory.rehearsal import PeakBytes, peak_bytes
from nst.runs.objectives import Networks, make_evaluator, make_objectives
from nst.runs.transfer import Progress, Transfer
from tests.conftest import Compose

CPU = torch.device("cpu")
FLOAT32 = Precision("float32", "as configured")


@pytest.fixture(autouse=True)
def never_plain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small runs are rehearsed here, too."""
    if "plainly" not in request.node.name:
        monkeypatch.setattr(memory, "_PLAINLY", 0)


def estimate_of(transfer: Transfer) -> float:
    assert transfer.memory.estimate_mb is not None
    return transfer.memory.estimate_mb * 2**20


def measured(transfer: Transfer) -> int:
    """Peak bytes of a run's pictures, targets and steps on the CPU, the loaded network left out."""
    cfgs, precision = transfer.cfgs, transfer.precision
    networks = Networks(transfer.backbone, precision)
    with PeakBytes("cpu") as counter:
        contents = [picture.clone() for picture in transfer.current.contents]
        styles = [picture.clone() for picture in transfer.current.styles]
        objectives = make_objectives(cfgs, networks, contents, styles)
        evaluator = make_evaluator(objectives, precision, transfer.memory.checkpoint)
        start = torch.zeros(len(cfgs), 3, *transfer.current.output)
        optimizer = make_optimizer(cfgs[0].optimizer, evaluator.evaluate, start, steps=3)
        for _ in iterate(optimizer, steps=3):
            pass
    return int(counter.peak)


CASES = {
    "float32": (),
    "bfloat16": ("precision=bfloat16",),
    "checkpointing": (
        *("gradient_checkpointing=true", "optimizer.history_size=2", "size=1056"),  # two strips
        *("task=content", "loss=relative", "content_layer=conv_2"),
    ),
    "adam": ("optimizer=adam",),
    "max pooling": ("backbone.pooling=max",),
    "squeezenet": ("backbone=squeezenet1_0", "backbone.weights=random"),
    "wasserstein2": ("loss=wasserstein2",),
    "texture": ("task=texture",),
}


QUICK = ("float32", "bfloat16", "squeezenet")


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=[] if c in QUICK else pytest.mark.slow) for c in CASES]
)
def test_the_estimate_is_near_what_a_run_takes(case: str, composed: Compose) -> None:
    common = ("size=128", "precision=float32", "optimizer.steps=3")
    transfer = Transfer(composed(*common, *CASES[case]))
    assert estimate_of(transfer) == pytest.approx(measured(transfer), rel=0.2)


@pytest.mark.slow
def test_a_batch_takes_what_its_images_take(composed: Compose) -> None:
    runs = [composed("size=128", "init=noise", "optimizer.steps=3", f"seed={n}") for n in range(3)]
    transfer = Transfer(*runs)
    assert estimate_of(transfer) == pytest.approx(measured(transfer), rel=0.2)


def test_tensors_count_as_long_as_they_live() -> None:
    with PeakBytes("cpu") as counter:
        numbers = torch.ones(1000)
        view = numbers.view(10, 100)
        del numbers
        assert counter.current == 4000
        double = view + view
        del view, double
        torch.empty(10**6)  # takes nothing until something is written
    assert (counter.current, counter.peak) == (0, 8000)


def test_a_view_of_what_was_there_before_takes_nothing() -> None:
    before = torch.ones(1000)
    with PeakBytes("cpu") as counter:
        before.view(10, 100).chunk(2)
        assert counter.peak == 0
        untouched = torch.empty(1000)
        half = untouched[:500]
        assert counter.current == 0
        half.fill_(1)
        assert counter.current == 4000
        del untouched, half
    assert counter.current == 0


def free(monkeypatch: pytest.MonkeyPatch, megabytes: float) -> None:
    monkeypatch.setattr(memory, "available", lambda device: round(megabytes * 2**20))


def estimated_mb(cfg: Config, checkpointing: bool) -> float:
    cfg.gradient_checkpointing = checkpointing
    estimate = memory.choose([cfg], FLOAT32, CPU).estimate_mb
    cfg.gradient_checkpointing = "auto"
    assert estimate is not None
    return estimate


@pytest.mark.slow
def test_blocks_are_computed_twice_where_memory_is_short(
    composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = composed("size=2048", "optimizer.history_size=2", "precision=float32")
    once, twice = estimated_mb(cfg, False), estimated_mb(cfg, True)
    assert twice < once
    for megabytes, expected in ((2 * once, False), ((once + twice) / 2 / 0.9, True)):
        free(monkeypatch, megabytes)
        choice = memory.choose([cfg], FLOAT32, CPU)
        assert choice.checkpoint is expected
        assert choice.as_dict()["available_mb"] == pytest.approx(megabytes, abs=0.1)


def test_what_cannot_fit_is_refused_in_one_line(
    composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 0.2)
    with pytest.raises(
        InputError, match=r"even with gradient_checkpointing=true, and 0\.0 GB are free"
    ) as error:
        Transfer(composed("precision=float32"))
    for remedy in ("size=32 now", "optimizer.history_size=5", "precision=bfloat16"):
        assert remedy in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_configured_is_tried_all_the_same(
    composed: Compose, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free(monkeypatch, 0.2)
    assert Transfer(composed("gradient_checkpointing=true")).memory.checkpoint
    assert "going on as configured" in caplog.text


def test_branching_networks_have_no_blocks(composed: Compose) -> None:
    squeezenet = ("backbone=squeezenet1_0", "backbone.weights=random")
    with pytest.raises(InputError, match="=true is for VGGs, not for squeezenet1_0"):
        Transfer(composed(*squeezenet, "gradient_checkpointing=true"))


def test_a_value_that_is_none_of_the_three(composed: Compose) -> None:
    with pytest.raises(InputError, match="checkpointing=often: expected auto, true or false"):
        composed("gradient_checkpointing=often")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_memory_that_runs_out_keeps_what_there_is(
    error: Exception, composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = Transfer.run

    def until_full(self: Transfer, state: Any = None) -> Iterator[Progress]:
        for progress in genuine(self, state):
            yield progress
            if progress.step == 2:
                raise error

    monkeypatch.setattr(Transfer, "run", until_full)
    with pytest.raises(InputError, match="memory ran out; what was computed is kept"):
        run_job(composed("optimizer.steps=5"), Context(run_folder))
    assert pd.read_csv(run_folder / "trace.csv")["step"].tolist() == [0, 1, 2]
    assert (run_folder / "image.png").is_file()


def test_other_errors_stay_what_they_are(composed: Compose) -> None:
    assert memory.ran_out(RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory"))
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert memory.explained(error, [composed()]) is error


def test_what_is_free_is_the_least_of_machine_and_groups(tmp_path: Path) -> None:
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    assert available(CPU, tmp_path) == 8000 * 1024
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/outer/inner\n")
    group = tmp_path / "sys" / "fs" / "cgroup" / "outer"
    (group / "inner").mkdir(parents=True)
    (group / "inner" / "memory.max").write_text("max\n")
    (group / "memory.max").write_text("5000000\n")
    (group / "memory.current").write_text("4000000\n")
    (group / "memory.stat").write_text("anon 1\ninactive_file 500000\n")
    assert available(CPU, tmp_path) == 1_500_000


def test_the_record_says_what_was_taken(composed: Compose, run_folder: Path) -> None:
    cfg = composed("optimizer.steps=1", "gradient_checkpointing=false")
    record = run_job(cfg, Context(run_folder))
    assert record["memory"]["checkpoint"] is False
    assert record["memory"]["why"] == "as configured"
    assert record["memory"]["estimate_mb"] > 0


def test_as_many_as_fit(composed: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = composed("size=64", "precision=float32", "gradient_checkpointing=false")
    transfer, bare = Transfer(cfg), peak_bytes([cfg], FLOAT32, checkpointing=False)
    network = sum(p.nbytes for p in transfer.backbone.parameters())
    network += round(estimate_of(transfer)) - bare  # its transformed weights
    free(monkeypatch, 0.2)
    assert memory.largest_batch(cfg, FLOAT32, CPU) == 1
    five, six = (peak_bytes([cfg] * n, FLOAT32, checkpointing=False) + network for n in (5, 6))
    free(monkeypatch, (five + six) / 2 / 2**20 / 0.9)
    assert memory.largest_batch(cfg, FLOAT32, CPU) == 5
    free(monkeypatch, 10**6)
    assert memory.largest_batch(cfg, FLOAT32, CPU) == memory.MAX_BATCH
    monkeypatch.setattr(memory, "available", lambda device: None)
    assert memory.largest_batch(cfg, FLOAT32, CPU) == 8


def test_transformed_weights_count_where_they_are_kept(composed: Compose) -> None:
    """Those of VGG-19 up to conv_13 in float32 take about 200 MB."""
    vgg19 = ("backbone=vgg19", "backbone.weights=random", "style_layers=[relu5_1]", "size=128")
    cfg = composed(*vgg19, "gradient_checkpointing=false")
    bare = peak_bytes([cfg], FLOAT32, checkpointing=False) / 2**20
    estimate = memory.choose([cfg], FLOAT32, CPU).estimate_mb
    assert estimate is not None
    assert 150 < estimate - bare < 250


def test_what_plainly_fits_is_not_rehearsed(
    composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rehearsal loads torch's compiler: two seconds before the first step."""
    cfg = composed("size=64")
    monkeypatch.setattr(memory, "peak_bytes", lambda *args: pytest.fail("it was rehearsed"))
    free(monkeypatch, 4000)
    choice = memory.choose([cfg], FLOAT32, CPU)
    assert (choice.checkpoint, choice.why) == (False, "auto: it plainly fits")
    assert choice.as_dict()["estimate_mb"] is None
    cfg.gradient_checkpointing = True
    assert memory.choose([cfg], FLOAT32, CPU).checkpoint


PLAIN = {
    "default": (),
    "wasserstein2": ("loss=wasserstein2",),
    "vgg19": ("backbone=vgg19", "backbone.weights=random", "loss=gatys2015"),
    "adam": ("optimizer=adam",),
    "texture": ("task=texture", "init=noise"),
    "content": ("task=content", "init=noise"),
}


@pytest.mark.slow
@pytest.mark.parametrize("size", [pytest.param(64), pytest.param(384, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", PLAIN)
def test_no_run_takes_what_it_plainly_takes_at_most(
    case: str, size: int, composed: Compose
) -> None:
    both = [composed(f"size={size}", f"seed={seed}", *PLAIN[case]) for seed in (0, 1)]
    backbone = build(both[0].backbone.name.name, both[0].backbone.pooling.name)
    for cfgs in (both[:1], both):
        for precision in (FLOAT32, Precision("bfloat16", "as configured", checked=True)):
            takes = peak_bytes(cfgs, precision, checkpointing=False)
            assert takes < memory.at_most(cfgs, backbone) < 10 * takes
