from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from experiments.backbone.fronts import draw_fronts, means

HEAD = "name,task,size,style_weight,content,style,layer,style_error,content_kept,psnr,seconds"
TRANSFERS = (
    "a,transfer,192,5,coffee,ink,,0.30,0.60,,2.0",
    "a,transfer,192,5,coffee,mosaic,,0.20,0.50,,4.0",
    "a,transfer,192,20,coffee,ink,,0.10,0.40,,2.0",
    "a,transfer,256,5,coffee,ink,,0.25,0.55,,3.0",
    "16,transfer,192,default,coffee,ink,,0.22,0.58,,1.0",
)
OTHERS = ("a,texture,192,default,,ink,,0.15,,,2.0", "a,content,192,,coffee,,conv_2,,,35.1,1.0")


def table(folder: Path, *lines: str) -> Path:
    file = folder / "table.csv"
    file.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return file


def test_means_are_over_contents_and_styles(tmp_path: Path) -> None:
    points = means(table(tmp_path, *OTHERS, *TRANSFERS))
    rows = points[["name", "size", "style_weight", "pictures"]].to_numpy().tolist()
    assert rows == [
        ["a", 192, "5", 2], ["a", 192, "20", 1], ["a", 256, "5", 1], ["16", 192, "default", 1],
    ]  # fmt: skip
    assert points["style_error"].tolist() == pytest.approx([0.25, 0.10, 0.25, 0.22])
    assert points["content_kept"].tolist() == pytest.approx([0.55, 0.40, 0.55, 0.58])
    assert points["seconds"].tolist() == pytest.approx([3.0, 2.0, 3.0, 1.0])


def test_a_panel_is_drawn_for_each_size(tmp_path: Path) -> None:
    widths = []
    for lines in (TRANSFERS[:2], TRANSFERS):
        file = draw_fronts(table(tmp_path, *lines))
        assert file == tmp_path / "fronts.png"
        with Image.open(file) as figure:
            widths.append(figure.width)
            assert len(figure.getcolors(1 << 20) or []) > 10  # it is not empty
    assert widths[1] > 1.5 * widths[0]


def test_candidates_are_drawn_by_name_even_if_it_is_a_number(tmp_path: Path) -> None:
    assert draw_fronts(table(tmp_path, TRANSFERS[-1])) is not None


def test_a_table_without_transfers_has_no_front(tmp_path: Path) -> None:
    assert draw_fronts(table(tmp_path, *OTHERS)) is None
    assert not (tmp_path / "fronts.png").exists()
