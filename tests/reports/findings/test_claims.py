from __future__ import annotations

import math

import pytest

from nst.reports.findings.claims import Answer, Verdict


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        (Answer(Verdict.reproduced, "", 38.94, 0.312, 3, "dB"), "38.9 ± 0.31 dB"),
        (Answer(Verdict.partly, "", 0.5, 0.1234, 3), "0.5 ± 0.12"),
        (Answer(Verdict.partly, "", -1.0, 0.0, 3), "−1 ± 0"),
        (Answer(Verdict.partly, "", 0.25), "0.25"),
        (Answer(Verdict.cannot_say, "no runs"), ""),
        (Answer(Verdict.cannot_say, "", math.nan, 0.1, 3, "dB"), ""),
    ],
)
def test_a_number_has_its_spread_and_unit(answer: Answer, number: str) -> None:
    assert answer.number == number


def test_a_verdict_is_what_it_reads() -> None:
    assert [f"{verdict}" for verdict in Verdict] == [
        *("reproduced", "partly", "not reproduced", "cannot say"),
    ]
