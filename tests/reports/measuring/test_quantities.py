from __future__ import annotations

import pytest

from nst.reports.measuring.per_run import MEASURES
from nst.reports.measuring.quantities import QUANTITIES, quantity


@pytest.mark.parametrize(
    ("column", "label"),
    [
        ("psnr", "PSNR, dB"),
        ("ssim", "SSIM"),
        ("seconds_per_step", "time per step, s"),
        ("peak_memory_mb", "memory, MB"),
        ("content_kept", "content kept"),
        ("losses.total", "loss"),
        ("losses.style", "style loss"),
        ("losses.pixel_statistics", "pixel statistics loss"),
        ("losses_unweighted.content", "content loss, unweighted"),
        ("something.of_another_version", "something of another version"),
    ],
)
def test_a_column_has_a_name_and_its_unit(column: str, label: str) -> None:
    assert quantity(column).label == label


def test_columns_are_told_apart_and_explained() -> None:
    columns = [each.column for each in QUANTITIES]
    assert len(set(columns)) == len(columns)
    assert all(each.explanation.endswith(".") for each in QUANTITIES)
    assert "unweighted" in quantity("losses_unweighted.style").label
    assert "before its weight" in quantity("losses_unweighted.style").explanation


def test_what_figures_and_tables_show_of_pictures_says_its_range() -> None:
    for column in ("ssim", "edges", "content_kept"):
        assert "−1 to 1" in quantity(column).explanation
    for column in ("style_distance", "roughness"):
        assert "from 0" in quantity(column).explanation
    named = {each.column for each in QUANTITIES}
    assert {"edges", "content_kept", "style_distance", "roughness"} <= named & set(MEASURES)
