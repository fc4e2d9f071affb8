"""Neural style transfer, as an experiment.

>>> import nst
>>> cfg = nst.compose("task=texture", style="swirl", size=32)
>>> cfg.style
'swirl'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nst.command.configs import compose
    from nst.config import Config
    from nst.runs.context import Context
    from nst.runs.job import run_job
    from nst.runs.recording.read import load_runs
    from nst.runs.transfer import Transfer

__all__ = ["Config", "Context", "Transfer", "compose", "load_runs", "run_job"]

_HOMES = {
    "Config": "nst.config",
    "Context": "nst.runs.context",
    "Transfer": "nst.runs.transfer",
    "compose": "nst.command.configs",
    "load_runs": "nst.runs.recording.read",
    "run_job": "nst.runs.job",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when they are asked for: torch takes seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module 'nst' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
