from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.reports.sweeping import run_sweep


@pytest.fixture(scope="session")
def ready_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers × two seeds, in the folders 0 to 3; to be copied, not to be written to."""
    folder = tmp_path_factory.mktemp("ready")
    return run_sweep(folder, "content_layer=conv_1,conv_4", "seed=0,1", "init=noise")


@pytest.fixture
def layers_and_seeds(ready_sweep: Path, tmp_path: Path) -> Path:
    """A sweep of two layers × two seeds, in the folders 0 to 3."""
    return shutil.copytree(ready_sweep, tmp_path / "sweep")
