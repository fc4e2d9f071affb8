"""The short form of :mod:`tests.stress.configs`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nst.command.arguments import fault
from tests.stress.configs import Outcomes, search, try_alone, try_swept


def test_any_command_line_is_looked_at_without_harm() -> None:
    def look(line: list[str]) -> str:
        return "passed" if fault(line) is None else "refused"

    outcomes = Outcomes()
    search(300, 0, look, outcomes)
    assert min(outcomes.counts.values()) > 50


@pytest.mark.slow
@pytest.mark.parametrize("trial", [try_alone, try_swept])
def test_any_command_line_is_a_config_or_an_error_of_one_line(
    trial: Callable[[list[str]], str],
) -> None:
    outcomes = Outcomes()
    search(100, 0, trial, outcomes)
    assert len(outcomes.counts) == 2, outcomes
