"""Arrows point one way, and what must answer at once loads neither torch nor W&B."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# module → the modules of nst it may import. Nothing else; and no cycle is possible in this order.
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "names": {"errors"},
    "layers": {"errors"},
    "losses": set(),
    "optimize": set(),
    "images": {"errors"},
    "inits": {"images"},
    "metrics": set(),
    "sheets": set(),
    "tracking": set(),
    "tracking_report": {"labels", "tracking"},
    "records": {"errors"},
    "sweeps": {"errors", "names", "records"},
    "figures": {"records", "sweeps"},
    "report": {"figures", "sheets", "sweeps"},
    "paintings": {"names"},
    "samples": {"images", "names", "paintings"},
    "procedural": {"images", "names", "paintings"},
    "dictionary": set(),
    "backbones": {"dictionary", "errors", "layers", "pooling", "procedural", "samples", "winograd"},
    "objective": {"losses", "backbones", "patches", "winograd"},
    "patches": set(),
    "pooling": set(),
    "processor": set(),
    "winograd": {"processor"},
    "explicit": {"losses", "backbones", "objective", "patches", "pooling"},
    "precision": {"explicit", "objective", "optimize", "processor"},
    "memory": {
        *("backbones", "config", "errors", "explicit", "layers", "losses", "passes", "precision"),
        "winograd",
    },
    "config": {"errors", "layers", "names"},
    "launcher": {"batching", "config", "errors", "job", "transfer"},
    "cli": {"errors", "names", "config", "launcher"},
    "passes": {"config", "images", "names", "samples"},
    "batching": {"config", "passes", "patches"},
    "labels": {"config", "layers"},
    "transfer": {
        *("backbones", "batching", "config", "errors", "images", "inits", "objective", "optimize"),
        *("explicit", "memory", "passes", "precision", "samples", "winograd"),
    },
    "job": {
        *(
            "config",
            "errors",
            "images",
            "passes",
            "labels",
            "memory",
            "metrics",
            "names",
            "objective",
            "records",
        ),
        *("sheets", "tracking", "transfer"),
    },
}


def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "nst":
                found |= {alias.name for alias in node.names}
            elif node.module.startswith("nst."):
                found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("nst.")}
    return found


@pytest.mark.parametrize("module", sorted(p.stem for p in (ROOT / "nst").glob("[a-z]*.py")))
def test_arrows(module: str) -> None:
    assert module in ARROWS, f"say in ARROWS what nst/{module}.py may import"
    assert imports(ROOT / "nst" / f"{module}.py") <= ARROWS[module]


def test_run_is_short() -> None:
    assert len((ROOT / "run.py").read_text(encoding="utf-8").splitlines()) <= 50


def test_help_and_typos_need_neither_torch_nor_wandb() -> None:
    code = (
        "import sys; from nst.command import cli as cli; from nst import config; cli.register(); cli.help_groups(); "
        "print([m for m in ('torch', 'wandb', 'pandas', 'skimage') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
