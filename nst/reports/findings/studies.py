"""Where the studies are: the modules of ``experiments.studies``."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from nst.reports.findings.claims import Study

_PACKAGE = "experiments.studies"


def study_names() -> tuple[str, ...]:
    """Every study; none where ``experiments`` is not installed."""
    try:
        package = import_module(_PACKAGE)
    except ModuleNotFoundError:  # another project's "experiments" may stand before ours
        return ()
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__)))


def find_study(name: str | None) -> Study | None:
    """The ``STUDY`` of ``experiments/studies/NAME.py``; None for a free sweep."""
    if name not in study_names():
        return None
    study: Study = import_module(f"{_PACKAGE}.{name}").STUDY
    return study
