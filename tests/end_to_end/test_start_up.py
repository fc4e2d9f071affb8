"""What a run loads before its first step decides how long one waits for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

COSTS = {
    **{"torch._dynamo": "torch's compiler", "sympy": "of torch's compiler"},
    **{"scipy": "for SSIM and drawn paintings", "torchvision": "for its weights alone"},
    **{"skimage.io": "for one photograph", "tifffile": "with skimage.io"},
    **{"pandas": "for reports, and W&B's tables", "matplotlib": "for reports", "wandb": "W&B"},
}
"""{module: what it would be loaded for}; together they take longer than torch itself."""


TEXTURE = "task=texture style=swirl"


@pytest.mark.parametrize("sample", ["", pytest.param(TEXTURE, marks=pytest.mark.slow)])
def test_a_run_loads_nothing_large_but_torch(sample: str, tmp_path: Path) -> None:
    code = f"""
import atexit, runpy, sys
atexit.register(lambda: print("loaded:", [name for name in {list(COSTS)} if name in sys.modules]))
sys.argv = "run.py size=64 optimizer.steps=2 logger=none {sample}".split()
sys.argv.append("hydra.run.dir={tmp_path}/run")
runpy.run_path("run.py", run_name="__main__")
"""
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert process.stdout.splitlines()[-1] == "loaded: []"
    assert (tmp_path / "run" / "record.json").is_file()
