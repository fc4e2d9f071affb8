from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from nst.pictures.sheets import Head
from nst.reports.drawing.sheets import sheet_figure
from nst.reports.drawing.style import house_style, save_figure
from tests.reports.drawing.sample import LONG


def picture(width: int = 37, height: int = 23) -> Image.Image:
    return Image.effect_noise((width, height), 60).convert("RGB")


def embedded(file: Path) -> Counter[tuple[int, int]]:
    """Sizes of the images in a PDF."""
    objects = re.findall(rb"<<[^>]*/Subtype /Image[^>]*>>", file.read_bytes())
    sizes = []
    for each in objects:
        width, height = re.search(rb"/Width (\d+)", each), re.search(rb"/Height (\d+)", each)
        assert width is not None
        assert height is not None
        sizes.append((int(width[1]), int(height[1])))
    return Counter(sizes)


def test_pictures_keep_their_pixels_and_labels_are_text(tmp_path: Path) -> None:
    rows, columns = [Head("a"), Head("b")], [Head("swirl", picture(11, 13)), Head("wave")]
    cells: list[list[Image.Image | None]] = [[picture(), picture()], [picture(), None]]
    figure = sheet_figure(rows, columns, cells, corner=[Head("content", picture(50, 40))])
    save_figure(figure, tmp_path / "sheet.pdf")
    assert embedded(tmp_path / "sheet.pdf") == {(37, 23): 3, (11, 13): 1, (50, 40): 1}
    save_figure(figure, tmp_path / "sheet.svg")
    svg = (tmp_path / "sheet.svg").read_text(encoding="utf-8")
    assert all(
        f">{text}</text>" in svg for text in ("a", "b", "swirl", "wave", "content", "missing")
    )


@pytest.mark.parametrize("width", [3.4, 7.0])
@pytest.mark.parametrize(("down", "across"), [(1, 1), (2, 3), (12, 2), (3, 16), (1, 17)])
@pytest.mark.parametrize("has_heads", [True, False])
def test_everything_is_on_the_sheet(down: int, across: int, has_heads: bool, width: float) -> None:
    head = picture(20, 30) if has_heads else None
    rows = [Head(LONG, head), *(Head(f"row {i}", head) for i in range(1, down))]
    columns = [Head(LONG, head), *(Head(f"column {i}", head) for i in range(1, across))]
    cells = [[picture() for _ in columns] for _ in rows]
    corner = [Head("content", picture()), Head("style", picture(20, 20))]
    check(sheet_figure(rows, columns, cells, corner=corner, width=width), width)


@pytest.mark.parametrize("width", [3.4, 7.0])
@pytest.mark.parametrize("count", [1, 4, 17])
def test_one_row_is_broken_into_lines(count: int, width: float) -> None:
    columns = [Head(LONG), *(Head(f"conv_{i}  20.0 dB") for i in range(1, count))]
    cells = [[picture() for _ in columns]]
    figure = sheet_figure(
        [Head("")], columns, cells, corner=[Head("style", picture())], width=width
    )
    check(figure, width)
    places = [image.get_extent()[2] for image in figure.axes[0].images]
    assert len(set(places)) == -(-(count + 1) // 6)


def check(figure: Figure, width: float) -> None:
    with house_style():  # as a figure is saved
        figure.draw_without_rendering()
    assert figure.get_figwidth() <= width + 1e-6
    assert figure.get_figheight() <= 9 + 1e-6
    page = figure.bbox.padded(0.5)
    texts = [text.get_window_extent() for text in figure.axes[0].texts]
    images = [image.get_window_extent() for image in figure.axes[0].images]
    for box in (*texts, *images):
        assert page.x0 <= box.x0 <= box.x1 <= page.x1
        assert page.y0 <= box.y0 <= box.y1 <= page.y1
    assert not any(t.padded(-1.5).overlaps(i) for t in texts for i in images)
    assert not any(a.padded(-1.5).overlaps(b) for a in texts for b in texts if a is not b)
