"""Sweeps: what was meant as one and is none, keys given twice, and plugins for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from nst.command.line.choices import as_file
from nst.command.line.names import is_of_files, is_sweep, split_names

_PACKAGES = {
    "hydra/launcher": {
        "joblib": "hydra-joblib-launcher",
        "submitit_local": "hydra-submitit-launcher",
        "submitit_slurm": "hydra-submitit-launcher",
        "ray": "hydra-ray-launcher",
        "rq": "hydra-rq-launcher",
    },
    "hydra/sweeper": {
        "optuna": "hydra-optuna-sweeper",
        "ax": "hydra-ax-sweeper",
        "nevergrad": "hydra-nevergrad-sweeper",
    },
}
"""Hydra's own plugins, each a package."""


def without_its_package(group: str, choice: str) -> str | None:
    """What to install for a launcher or sweeper that Hydra does not find; None for any other.

    >>> without_its_package("hydra/launcher", "joblib")
    'hydra/launcher=joblib is not installed; pip install hydra-joblib-launcher'
    """
    package = _PACKAGES.get(group, {}).get(choice)
    return f"{group}={choice} is not installed; pip install {package}" if package else None


def without_flag(arguments: Sequence[str]) -> str | None:
    """What is wrong with several names of files where no sweep is asked for; None if nothing.

    Hydra says so itself of all that it reads as several values. Names that it does not read are
    quoted (:mod:`nst.command.line.names`), and are then one name of a file that is not there.
    """
    if is_sweep(arguments) or any(a.startswith(("study=", "hydra.mode=")) for a in arguments):
        return None
    for argument in arguments:
        key, _, value = argument.partition("=")
        if not is_of_files(key) or "," not in value or value[0] in "'\"[{$" or as_file(value):
            continue
        names = split_names(value)
        if len(names) > 1 and not value.endswith(")"):
            return (
                f"{argument}: several values make a sweep; add -m for a run of each "
                f"(no file is called {value})"
            )
    return None


def given_twice(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of different overrides of one key, of which the second alone would count.

    >>> list(given_twice(["-m", "seed=0,1", "size=64", "seed=2"]))
    [('seed=0,1', 'seed=2')]
    """
    last: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        key = key.lstrip("+")
        if not equals or key.startswith(("-", "~")) or value.startswith("{"):
            continue  # a mapping adds to what is there
        if last.get(key, argument) != argument:
            yield last[key], argument
        last[key] = argument


def lost_sweep(arguments: Sequence[str]) -> str | None:
    """What is wrong with a sweep whose key is given again after it; None if nothing is.

    The other way round is how a command that has a value already is made a sweep: no job is lost.
    """
    for first, second in given_twice(arguments):
        if _is_swept(first):
            key, _, value = second.partition("=")
            both = f"{first} {second}: {key} is given twice, and {second} alone would count"
            is_list = "(" not in first + value
            joined = f"write {first},{value}, or " if is_list else ""
            return f"{both}; {joined}leave one of them out"
    return None


def _is_swept(argument: str) -> bool:
    try:
        return OverridesParser.create().parse_override(argument).is_sweep_override()
    except (HydraException, ValueError, ArithmeticError, RecursionError):
        return False  # said elsewhere
