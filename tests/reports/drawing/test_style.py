from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image

from nst.reports.drawing.style import COLUMN, colors, one_plot, save_figure

SCRIPT = """
import sys
from pathlib import Path
from nst.reports.drawing.style import one_plot, save_figure
figure, axes = one_plot()
axes.plot([1, 2, 3], [1, 4, 9], "o-", label="αβγ")
axes.set_yscale("log")
figure.legend()
for ending in ("png", "pdf", "svg"):
    save_figure(figure, Path(sys.argv[1], f"figure.{ending}"))
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    figure, axes = one_plot()
    axes.plot([0, 1], [1, 2], label="a curve")
    axes.set_xlabel("seconds")
    for ending in ("png", "pdf", "svg"):
        save_figure(figure, tmp_path / f"figure.{ending}")
    return tmp_path


def test_a_png_has_300_dots_an_inch(saved: Path) -> None:
    with Image.open(saved / "figure.png") as image:
        assert image.width == round(300 * COLUMN)


def test_a_pdf_is_as_wide_as_a_column_and_its_fonts_are_truetype(saved: Path) -> None:
    pdf = (saved / "figure.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf)
    assert box is not None
    assert float(box[1]) == pytest.approx(72 * COLUMN)
    assert b"/FontFile2" in pdf
    assert b"/Subtype /Type3" not in pdf
    assert b"/Subtype /Image" not in pdf


def test_text_of_an_svg_is_text(saved: Path) -> None:
    svg = (saved / "figure.svg").read_text(encoding="utf-8")
    assert ">seconds</text>" in svg


def test_no_file_says_when_it_was_written(saved: Path) -> None:
    assert b"/CreationDate" not in (saved / "figure.pdf").read_bytes()
    assert "dc:date" not in (saved / "figure.svg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_same_figure_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed}, check=True,
        )  # fmt: skip
    for name in ("figure.png", "figure.pdf", "figure.svg"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_the_users_own_settings_change_no_figure(saved: Path, tmp_path: Path) -> None:
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 20, "savefig.bbox": "tight"}):
        figure, axes = one_plot()
        axes.set_xlabel("seconds")
        save_figure(figure, tmp_path / "other.png")
    assert axes.xaxis.label.get_fontsize() == 8
    with Image.open(tmp_path / "other.png") as image:
        assert image.width == round(300 * COLUMN)


def test_ordered_colors_are_all_seen_on_white() -> None:
    for red, green, blue, _ in colors(9):
        assert 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.75


def test_embedding_a_font_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    figure, axes = one_plot()
    axes.set_xlabel("PSNR, dB")
    save_figure(figure, tmp_path / "a.pdf")
    assert caplog.records == []
