from __future__ import annotations

import sys

import pytest

from nst.reports.findings.studies import find_study, study_names


def test_studies_are_known_by_their_modules() -> None:
    for name in study_names():
        study = find_study(name)
        assert study is not None
        assert study.name == name


def test_a_free_sweep_has_no_study() -> None:
    assert find_study(None) is None
    assert find_study("nothing_of_that_name") is None


def test_without_the_package_of_the_studies_every_sweep_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "experiments.studies", None)  # it cannot be imported
    assert study_names() == ()
    assert find_study("weights") is None
