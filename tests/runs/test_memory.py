"""The estimate against the bytes that tensors really take, and what follows from it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nst.backbones.network import Backbone, build
from nst.config import BackboneName, Config
from nst.errors import InputError
from nst.gradients.precision import Precision
from nst.runs import memory
from nst.runs.job import Context, run_job
from nst.runs.transfer import Progress, Transfer
from tests.conftest import Compose

CPU = torch.device("cpu")


class Tracked(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of all tensors alive, and their peak. What nobody has written yet counts for nothing:
    the system gives a page at the first touch."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.empty.memory_format:
            return result
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.device.type == "cpu":
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._seen:
            return
        self._seen.add(key)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, storage.nbytes())

    def _gone(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


def measured(cfg: Config) -> tuple[float, Transfer]:
    """Peak bytes of targets and steps, the loaded network left out."""
    transfer = Transfer(cfg)
    del transfer._first, transfer.stage
    with Tracked() as tracked:
        transfer._first = transfer._stage(cfg.size)
        for _ in transfer.run():
            pass
    return tracked.peak, transfer


CASES = {
    "float32": ("precision=float32",),
    "bfloat16": ("precision=bfloat16",),
    "checkpoint": ("precision=float32", "checkpoint=true"),
    "adam": ("optimizer=adam", "precision=float32"),
    "max": ("backbone.pooling=max", "precision=float32"),
    "squeezenet": ("backbone=squeezenet1_0", "backbone.weights=random", "precision=float32"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_estimate_is_near(case: str, composed: Compose) -> None:
    cfg = composed("size=96", "optimizer.steps=3", *CASES[case])
    peak, transfer = measured(cfg)
    estimate = memory.need([cfg], transfer.backbone, transfer.precision, cfg.checkpoint is True)
    assert estimate == pytest.approx(peak, rel=0.35)


def free(monkeypatch: pytest.MonkeyPatch, megabytes: float) -> None:
    monkeypatch.setattr(memory, "available", lambda device: round(megabytes * 2**20))


def test_checkpoints_are_taken_where_memory_is_short(
    composed: Compose, mini: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = composed("size=2048", "optimizer.history_size=2", "precision=float32")
    exact = Precision("float32", "")
    plain, again = (memory.need([cfg], mini, exact, flag) / 2**20 for flag in (False, True))
    assert again < plain
    for megabytes, expected in ((2 * plain, False), ((plain + again) / 2 / 0.9, True)):
        free(monkeypatch, megabytes)
        choice = memory.choose([cfg], mini, exact, CPU)
        assert choice.checkpoint is expected
        assert choice.as_dict()["available_mb"] == pytest.approx(megabytes, abs=0.1)


def test_what_cannot_fit_is_refused_in_one_line(
    composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 0.2)
    with pytest.raises(
        InputError, match=r"even with checkpoint=true, and 0\.0 GB are free"
    ) as error:
        Transfer(composed("precision=float32"))
    for remedy in ("size=32 now", "optimizer.history_size=5", "precision=bfloat16"):
        assert remedy in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_configured_is_tried_all_the_same(
    composed: Compose, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free(monkeypatch, 0.2)
    assert Transfer(composed("checkpoint=true")).memory.checkpoint
    assert "going on as configured" in caplog.text


def test_branching_networks_have_no_blocks(composed: Compose) -> None:
    with pytest.raises(InputError, match="checkpoint=true is for VGGs, not for squeezenet1_0"):
        Transfer(composed("backbone=squeezenet1_0", "backbone.weights=random", "checkpoint=true"))


def test_a_value_that_is_none_of_the_three(composed: Compose) -> None:
    with pytest.raises(InputError, match="checkpoint=often: expected auto, true or false"):
        composed("checkpoint=often")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_memory_that_runs_out_keeps_what_there_is(
    error: Exception, composed: Compose, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = Transfer.run

    def until_full(self: Transfer) -> Iterator[Progress]:
        for progress in genuine(self):
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
    assert memory.available(CPU, tmp_path) == 8000 * 1024
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/outer/inner\n")
    group = tmp_path / "sys" / "fs" / "cgroup" / "outer"
    (group / "inner").mkdir(parents=True)
    (group / "inner" / "memory.max").write_text("max\n")
    (group / "memory.max").write_text("5000000\n")
    (group / "memory.current").write_text("4000000\n")
    (group / "memory.stat").write_text("anon 1\ninactive_file 500000\n")
    assert memory.available(CPU, tmp_path) == 1_500_000


def test_the_record_says_what_was_taken(composed: Compose, run_folder: Path) -> None:
    record = run_job(composed("optimizer.steps=1", "checkpoint=false"), Context(run_folder))
    assert record["memory"]["checkpoint"] is False
    assert record["memory"]["why"] == "as configured"
    assert record["memory"]["estimate_mb"] > 0


def test_as_many_as_fit(composed: Compose, mini: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg, exact = composed(), Precision("float32", "")
    free(monkeypatch, 0.2)
    assert memory.largest_batch(cfg, exact, CPU) == 1
    enough = memory.need([cfg] * 5, mini, exact, False) + sum(p.nbytes for p in mini.parameters())
    free(monkeypatch, 1.02 * enough / 2**20 / 0.9)
    assert memory.largest_batch(cfg, exact, CPU) == 5
    monkeypatch.setattr(memory, "available", lambda device: None)
    assert memory.largest_batch(cfg, exact, CPU) == 8


def test_transformed_weights_count_where_they_are_kept() -> None:
    """VGG-19 up to conv_13 in float32: about 200 MB (docs/decisions, number 18)."""
    cfg = Config(size=128, checkpoint=False)
    cfg.backbone.name, cfg.style_layers = BackboneName.vgg19, ["relu5_1"]
    backbone = build("vgg19", "avg")
    exact = Precision("float32", "asked for")
    bare = memory.need([cfg], backbone, exact, checkpoint=False)
    found = memory.choose([cfg], backbone, exact, CPU)
    assert 150 < found.estimate_mb - bare / 2**20 < 250
