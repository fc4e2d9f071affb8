from __future__ import annotations

import pytest

from nst.reports.drawing.text import measure_label, plain, text_width, wrapped
from tests.reports.drawing.sample import LONG


@pytest.mark.parametrize("room", [0.4, 1.0, 2.0, 9.0])
@pytest.mark.parametrize("text", [LONG, "a few words of a sentence", "conv_1", "", "$x^2$ and 猫"])
def test_no_line_is_wider_than_its_room_and_no_letter_is_lost(text: str, room: float) -> None:
    lines = wrapped(text, room)
    assert text_width(lines) <= room
    assert "".join(lines.split()) == "".join(text.split())


def test_words_stay_whole_where_they_fit() -> None:
    assert wrapped("style distance", 0.6).split("\n") == ["style", "distance"]


def test_dollars_make_no_formula() -> None:
    assert plain("$x$") == r"\$x\$"


def test_a_unit_moves_below_its_measure() -> None:
    assert measure_label("psnr", 3) == "PSNR, dB"
    assert measure_label("seconds_per_step", 0.8) == "time per step,\ns"
