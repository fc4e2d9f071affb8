"""Programs that are measured beside each other."""

from __future__ import annotations

import sys

import pytest

from experiments import busy_machine
from experiments.busy_machine import CASES, line, main, together


def test_a_table_of_programs_alone_and_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here a step takes as many seconds as there are programs, and two if they spin."""

    def steps(programs: int, case: busy_machine.Case, _: list[str]) -> list[list[float]]:
        return [[programs * 2.0 if case[0] else programs * 1.0] * 3] * programs

    monkeypatch.setattr(busy_machine, "together", steps)
    monkeypatch.setattr(sys, "argv", ["busy_machine", "--spins", "7", "--rounds", "2"])
    main()
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == 2 * (len(CASES) + 1)
    assert "| 1 | threads sleep (nst's default) | 1.000 (1.000–1.000) | 1.0 |" in rows
    assert "| 2 | 7 looks, then sleep | 4.000 (4.000–4.000) | 0.5 |" in rows


def test_a_row_has_the_median_of_rounds_and_what_all_programs_do() -> None:
    rounds = [[[0.1, 0.1], [0.1, 0.1]], [[0.2, 0.2], [0.2, 0.2]], [[0.5, 0.5], [0.5, 0.5]]]
    assert line(2, "case", rounds) == "| 2 | case | 0.200 (0.100–0.500) | 10.0 |"


@pytest.mark.slow
def test_two_programs_at_once() -> None:
    short = ["size=32", "optimizer.steps=40"]
    first, second = together(2, CASES["one thread each"], short)
    assert max(len(first), len(second)) == 40 - busy_machine.WARM - 1
    assert all(seconds > 0 for seconds in [*first, *second])


def test_a_command_that_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"this fails: .*size=5"):
        together(1, CASES["one thread each"], ["size=5"])
