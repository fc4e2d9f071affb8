"""What the command line needs besides Hydra: help texts, folder names, and checks before job 0."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from nst import config, launcher
from nst.errors import InputError, did_you_mean
from nst.names import PLAN

_PATHS = ("content", "style", "init.image", "backbone.weights")
CONF = Path(__file__).resolve().parent.parent / "conf"


def register() -> None:
    """Tell Hydra about schema and launcher, and OmegaConf about the resolvers of ``conf/``."""
    launcher.register()
    ConfigStore.instance().store(name="schema", node=config.Config)
    OmegaConf.register_new_resolver("nst.slug", slug, replace=True)
    OmegaConf.register_new_resolver("nst.groups", help_groups, replace=True)
    OmegaConf.register_new_resolver("nst.keys", help_keys, replace=True)


def slug(overrides: str, limit: int = 100) -> str:
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


def prepared(arguments: Sequence[str]) -> list[str]:
    """The command line as Hydra takes it; exits where a key is unknown.

    Args:
        arguments: the command line without the program's name
    """
    explain_unknown_keys(arguments)
    return quote_paths(arguments)


def quote_paths(arguments: Sequence[str]) -> list[str]:
    """Quote paths that Hydra's grammar would trip over: spaces, brackets, accents, a leading ~.

    Only outside a sweep, where a comma separates values.

    >>> quote_paths(["content=photo (1).jpg", "size=64"])
    ["content='photo (1).jpg'", 'size=64']
    """
    if {"-m", "--multirun"} & set(arguments):
        return list(arguments)
    return [_quote(argument) for argument in arguments]


def _quote(argument: str) -> str:
    key, equals, value = argument.partition("=")
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    plain = quoted or re.fullmatch(r"[A-Za-z0-9_./\\:-]*", value)
    if not equals or key not in _PATHS or plain:
        return argument
    escaped = value.replace("'", "\\'")
    return f"{key}='{escaped}'"


def explain_unknown_keys(arguments: Sequence[str]) -> None:
    """Exit with the known keys when an override has an unknown one; Hydra alone names none.

    Args:
        arguments: the command line without the program's name
    """
    for argument in arguments:
        complaint = unknown_key(argument)
        if complaint:
            sys.exit(f"error: {complaint}")


def unknown_key(argument: str) -> str | None:
    """What to say of an override whose key neither the config nor Hydra has; None where it does."""
    name, equals, _ = argument.partition("=")
    name = name.split("@")[0]
    if not equals or not re.fullmatch(r"[A-Za-z_][\w.]*", name) or name.startswith("hydra"):
        return None  # a flag, +new, ~gone, or Hydra's own
    keys = set(config.documented_keys())
    parents = {key.rpartition(".")[0] for key in keys} - {""}
    if name in keys | parents | set(config.GROUPS) or name.startswith("passes"):
        return None
    parent = name.rpartition(".")[0]
    near = sorted(key for key in keys if parent and key.startswith(parent + "."))
    listed = near or sorted({key for key in keys if "." not in key} | set(config.GROUPS))
    hint = did_you_mean(name, (*keys, *config.GROUPS))
    return f"unknown key {name!r}{hint} (known: {', '.join(listed)})"


class PlanSweep(Callback):
    """Before the first job of a sweep: its study's axes, a check of each job, a plan."""

    folder: Path | None = None
    """Of the sweep that this process has started, once it has a plan."""

    def on_multirun_start(self, config: Any, **kwargs: Any) -> None:
        """Compose and check each job; stop with one line that names the first one that is wrong."""
        if not config.hydra.sweeper._target_.endswith("BasicSweeper"):
            return  # Optuna and others choose their jobs as they go
        given = list(config.hydra.overrides.task)
        if any(re.match(r"study=[^'\"]*,", override) for override in given):
            sys.exit("error: one study at a time; run the command once for each")
        params = {**study_params(config, given), **(config.hydra.sweeper.params or {})}
        with open_dict(config):
            config.hydra.sweeper.params = params
        jobs = expand_sweep([f"{k}={v}" for k, v in params.items()] + given)
        taken: set[Path] = set()
        for number, job in enumerate(jobs):
            try:
                composed, folder = _compose_job(config, number, job)
                _check(composed)
                if folder in taken:
                    raise InputError(launcher.shared_folder(folder))
                if folder is not None:
                    taken.add(folder)
            except InputError as error:
                sys.exit(f"error in job {','.join(job)}: {error}")
            except HydraException:
                return  # Hydra composes them all again and reports in its own words
        _write_plan(Path(config.hydra.sweep.dir), config, given, jobs)


def study_params(composed: Any, given: Sequence[str]) -> dict[str, str]:
    """What a study sweeps, less the keys that the command line gives itself."""
    study = composed.study
    if study.name is None:
        return {}
    own = {override.partition("=")[0].lstrip("+") for override in given}
    sweep = OmegaConf.to_container(study.sweep, resolve=True)
    assert isinstance(sweep, dict)
    return {key: value for key, value in sweep[study.size.name].items() if key not in own}


def _compose_job(composed: Any, number: int, job: Sequence[str]) -> tuple[Any, Path | None]:
    """A job's config, and its folder as Hydra's launchers will name it.

    Args:
        composed: of the sweep, as Hydra hands it to callbacks
        number: of the job
        job: its overrides

    Returns:
        The config without Hydra's part; no folder where only the job itself can tell its name.
    """
    whole = GlobalHydra.instance().config_loader().load_sweep_config(composed, list(job))
    with read_write(whole), open_dict(whole):
        whole.hydra.job.id, whole.hydra.job.num = str(number), number
        try:
            folder = Path(str(whole.hydra.sweep.dir), str(whole.hydra.sweep.subdir)).resolve()
        except OmegaConfBaseException:  # it asks for what is known when the job runs
            folder = None
        del whole["hydra"]
    return whole, folder


def _check(composed: Any) -> None:
    config.from_omegaconf(composed)


def _write_plan(folder: Path, composed: Any, given: Sequence[str], jobs: list[list[str]]) -> None:
    """``sweep.json``: what was asked for, so that a report can say what is missing."""
    plan = {
        "study": composed.study.name,
        "study_size": composed.study.size.name,
        "overrides": list(given),
        "jobs": jobs,
        "report": bool(composed.report),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PLAN).write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")
    PlanSweep.folder = folder


def expand_sweep(overrides: Sequence[str]) -> list[list[str]]:
    """The jobs of a sweep, each a list of overrides, as Hydra's own sweeper makes them.

    >>> expand_sweep(["seed=0,1", "size=64"])
    [['seed=0', 'size=64'], ['seed=1', 'size=64']]
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [list(job) for job in BasicSweeper.split_arguments(parsed, max_batch_size=None)[0]]
