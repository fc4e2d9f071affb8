"""The calibration of ``strength``: what is read off a table, and which pictures it lacks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

import nst
from experiments import strength
from experiments.strength import (
    TABLE,
    TOLERANCE,
    Row,
    append,
    by_strength,
    fit,
    read,
    summary,
    with_share,
)

ENDS = {"swirl": 0.4, "mosaic": 0.2}
"""{style: content kept at strength 1}."""


def rows(share: dict[float, float]) -> list[Row]:
    """Pictures of two styles whose fall has these shares at these style weights."""
    lines = []
    for style, end in ENDS.items():
        lines.append(Row("vgg16_mini", "cat", style, 64, "1", 50, 0, end, 0.1, 1))
        for weight, down in share.items():
            kept = 1 - down * (1 - end)
            lines.append(Row("vgg16_mini", "cat", style, 64, "", weight, 1, kept, 0.3, 1))
    return lines


def test_the_three_weights_are_read_off_the_shares() -> None:
    measured = rows({0.5: 0.25, 2: 0.5, 32: 0.75})
    assert fit(pd.DataFrame([asdict(row) for row in measured])) == [0.5, 2, 32]


def test_between_measured_weights_they_are_interpolated() -> None:
    """Shares of 1/10 and 9/10 are two steps of log odds from a half, which ¼ and ¾ are one of."""
    measured = rows({0.25: 0.1, 4: 0.5, 64: 0.9})
    assert fit(pd.DataFrame([asdict(row) for row in measured])) == [1, 4, 16]


def test_a_share_is_of_the_fall_of_the_same_pictures() -> None:
    shares = with_share(pd.DataFrame([asdict(row) for row in rows({2: 0.5})]))
    assert shares["share"].tolist() == pytest.approx([1, 0.5, 1, 0.5])


def test_a_picture_without_its_strength_1_has_no_share() -> None:
    alone = Row("vgg16_mini", "cup", "ink", 64, "0.5", 2, 1, 0.6, 0.3, 1)
    shares = with_share(pd.DataFrame([asdict(row) for row in [*rows({2: 0.5}), alone]]))
    assert "cup" not in set(shares["content"])


def test_the_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    lines = rows({0.5: 0.25})
    for row in lines:
        append(table, row)
    assert read(table) == lines
    assert read(tmp_path / "none.csv") == []


def test_a_picture_that_the_table_has_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(strength, "DOCS", tmp_path)
    arguments = "strength --table table.csv --backbones vgg16_mini --sizes 32 --styles swirl"
    short = [*arguments.split(), "--strengths", "0.5", "1", "--override", "optimizer.steps=1"]
    monkeypatch.setattr("sys.argv", short)
    strength.main()
    first = read(tmp_path / "table.csv")
    assert [row.strength for row in first] == ["0.5", "1"]
    assert (tmp_path / "strength.png").is_file()
    strength.main()
    assert read(tmp_path / "table.csv") == first
    monkeypatch.setattr("sys.argv", [*short, "--strip"])
    strength.main()
    assert (tmp_path / "strength.jpg").is_file()


def test_a_new_calibration_takes_the_place_of_the_old() -> None:
    old = Row("vgg16_mini", "cat", "swirl", 64, "0.5", 3, 1, 0.9, 0.3, 1)
    new = Row("vgg16_mini", "cat", "swirl", 64, "0.5", 4, 1, 0.7, 0.3, 1)
    frame = by_strength([*rows({}), old, new])
    assert frame[frame["strength"] == 0.5]["share"].tolist() == pytest.approx([0.5])
    assert "strength 0.5 (1 pictures): content kept 0.700" in summary(frame)


PUBLISHED = [row for row in read(TABLE) if row.strength]


def test_the_published_pictures_have_the_weights_that_strength_stands_for() -> None:
    """Where a calibration changes, its pictures have to be made again."""
    settings = {
        (row.backbone, row.strength, row.style_weight, row.content_weight) for row in PUBLISHED
    }
    assert {backbone for backbone, *_ in settings} >= {"vgg16_mini", "vgg19_mini"}
    for backbone, given, style, content in settings:
        loss = nst.compose(f"backbone={backbone}", f"strength={given}").loss
        assert (loss.style_weight, loss.content_weight) == (style, content)


def test_the_published_pictures_of_the_default_network_fall_evenly() -> None:
    """On average over the styles, and each of them at the size of the calibration."""
    frame = by_strength(PUBLISHED)
    frame = frame[frame["backbone"] == "vgg16_mini"]
    assert {192, 384} <= set(frame["size"])
    assert len(set(frame["style"])) == 5
    frame = frame[frame["size"].isin([192, 384])].assign(off=frame["share"] - frame["strength"])
    assert frame[frame["size"] == 192]["off"].abs().max() <= TOLERANCE
    assert frame.groupby(["size", "strength"])["off"].mean().abs().max() <= TOLERANCE
