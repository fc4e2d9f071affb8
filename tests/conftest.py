"""Fixtures. No test needs a network, a GPU, an account or anything beside the checkout."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # torch's threads of several workers would wait for each
    os.environ["OMP_NUM_THREADS"] = "1"  # other; what tests start as programs has one too

import pytest
import torch
import wandb
from torch import Tensor

import nst
from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.config import Config
from tests.wandb_server import KEY, WandbServer

Compose = Callable[..., Config]


@pytest.fixture(scope="session")
def torch_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of weights for the session, so that the user's own is neither read nor written."""
    return tmp_path_factory.mktemp("torch")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, torch_cache: Path) -> None:
    """What the machine's user has set up for W&B, Hydra and torch must not decide a test."""
    monkeypatch.setenv("TORCH_HOME", str(torch_cache))
    for name in [*filter(lambda name: name.startswith("WANDB_"), os.environ), "HYDRA_FULL_ERROR"]:
        if name != "WANDB_SERVICE":  # W&B's own, of the process it started
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def composed() -> Compose:
    """Compose with overrides, as the command line does; small and quiet by default."""

    def build(*overrides: str) -> Config:
        return nst.compose("size=32", "logger=none", "device=cpu", *overrides)

    return build


@pytest.fixture(scope="session")
def mini() -> Backbone:
    """The backbone that ships with the package."""
    return load_backbone("vgg19_mini", "shipped", "avg")


@pytest.fixture
def picture() -> Tensor:
    """A smooth colourful image (1, 3, 24, 32) in [0, 1]."""
    y, x = torch.meshgrid(torch.linspace(0, 6, 24), torch.linspace(0, 6, 32), indexing="ij")
    waves = torch.stack([torch.sin(x + y), torch.sin(2 * x - y), torch.cos(x * y / 3)])
    return 0.5 + 0.4 * waves[None]


@pytest.fixture
def thin_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradient checkpointing cuts small pictures too, into strips of a few rows."""
    monkeypatch.setattr("nst.gradients.strips.NUMBERS", 0)
    monkeypatch.setattr("nst.gradients.strips.ROWS_PER_HALO", 1)


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """A W&B server on the loopback interface; this process and those it starts are logged in."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setattr(sys, "exit", sys.exit)  # W&B hooks it anew after each teardown
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with WandbServer() as started:
        monkeypatch.setenv("WANDB_BASE_URL", started.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        wandb.teardown()  # W&B remembers where it logged in
        yield started
        wandb.teardown()
    assert started.unknown == []
