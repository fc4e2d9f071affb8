"""The short form of :mod:`tests.stress.configs`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nst.command.line.arguments import fault
from tests.stress.configs import Outcomes, search, try_alone, try_swept


@pytest.mark.slow
def test_any_command_line_is_looked_at_without_harm() -> None:
    def look(line: list[str]) -> str:
        return "passed" if fault(line) is None else "refused"

    outcomes = Outcomes()
    search(200, 0, look, outcomes)
    assert min(outcomes.counts.values()) > 30


@pytest.mark.slow
@pytest.mark.parametrize(("trial", "count"), [(try_alone, 100), (try_swept, 50)])
def test_any_command_line_is_a_config_or_an_error_of_one_line(
    trial: Callable[[list[str]], str], count: int
) -> None:
    outcomes = Outcomes()
    search(count, 0, trial, outcomes)
    assert len(outcomes.counts) == 2, outcomes
