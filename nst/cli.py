"""What the command line needs besides Hydra: help texts, folder names, and checks before job 0."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.experimental.callback import Callback

from nst import config
from nst.errors import InputError, did_you_mean

CONF = Path(__file__).resolve().parent.parent / "conf"


def slug(overrides: str, limit: int = 60) -> str:
    """Overrides as a short, safe folder name; shortened ones end in a hash of the whole.

    >>> slug("content_layer=conv_1,seed=0")
    'content_layer=conv_1,seed=0'
    >>> slug("")
    'default'
    """
    safe = re.sub(r"[^A-Za-z0-9_.,=+-]+", "-", overrides).strip("-.") or "default"
    if safe == overrides and len(safe) <= limit:
        return safe
    if safe == "default":
        return safe
    return f"{safe[: limit - 9]}-{hashlib.sha256(overrides.encode()).hexdigest()[:8]}"


def help_groups() -> str:
    """The config groups with their choices, each with the first comment line of its file."""
    defaults = _default_choices()
    lines: list[str] = []
    for group, meaning in config.GROUPS.items():
        lines.append(f"{group}: {meaning}")
        for file in sorted((CONF / group).glob("*.yaml")):
            mark = " (default)" if defaults.get(group) == file.stem else ""
            lines.append(f"    {file.stem:<16} {_first_comment(file)}{mark}")
    return "\n".join(lines)


def help_keys() -> str:
    """Every key with its meaning."""
    return "\n".join(f"    {key:<32} {doc}" for key, doc in config.documented_keys().items())


def _first_comment(file: Path) -> str:
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and "@package" not in line:
            return line.lstrip("# ").rstrip()
    return ""


def _default_choices() -> dict[str, str]:
    entries = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))["defaults"]
    return {k: v for entry in entries if isinstance(entry, dict) for k, v in entry.items()}


def explain_unknown_keys(arguments: Sequence[str]) -> None:
    """Name the known keys when an override has an unknown one; Hydra alone does not.

    Args:
        arguments: the command line without the program's name

    Raises:
        InputError: a key that neither the config nor Hydra has.
    """
    keys = set(config.documented_keys())
    parents = {key.rpartition(".")[0] for key in keys} - {""}
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        name = name.split("@")[0]
        if not equals or not re.fullmatch(r"[A-Za-z_][\w.]*", name) or name.startswith("hydra"):
            continue
        if name in keys or name in parents or name in config.GROUPS or name.startswith("passes"):
            continue
        parent = name.rpartition(".")[0]
        near = sorted(key for key in keys if parent in parents and key.startswith(parent + "."))
        listed = near or sorted({key for key in keys if "." not in key} | set(config.GROUPS))
        hint = did_you_mean(name, (*keys, *config.GROUPS))
        raise InputError(f"unknown key {name!r}{hint} (known: {', '.join(listed)})")


class CheckSweep(Callback):
    """Check every job of a sweep before the first one starts, beyond what its types can say."""

    def on_multirun_start(self, config: Any, **kwargs: Any) -> None:
        """Compose and check each job; stop with one line that names the first one that is wrong."""
        from hydra import compose
        from hydra.errors import HydraException

        name = config.hydra.job.config_name
        for overrides in _jobs(config):
            try:
                _check_job(compose(name, overrides))
            except InputError as error:
                sys.exit(f"error in job {','.join(overrides)}: {error}")
            except HydraException:
                return  # Hydra composes them all again and reports in its own words


def _check_job(composed: Any) -> None:
    config.from_omegaconf(composed)


def _jobs(composed: Any) -> list[list[str]]:
    """The jobs' overrides where Hydra's own sweeper makes them; none for other sweepers."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    if not composed.hydra.sweeper._target_.endswith("BasicSweeper"):
        return []
    params = composed.hydra.sweeper.params or {}
    arguments = [f"{k}={v}" for k, v in params.items()]
    arguments += list(composed.hydra.overrides.task)
    overrides = OverridesParser.create().parse_overrides(arguments)
    batches = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    return [list(job) for batch in batches for job in batch]
