from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from experiments.backbone import judge as judge_backbone
from experiments.backbone.judge import Judged, read_table
from nst.errors import InputError
from nst.runs.transfer import Transfer

QUICK = "optimizer.steps=2 precision=float32"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


def judged(monkeypatch: pytest.MonkeyPatch, output: Path, options: str) -> list[Judged]:
    """The table after the command, as it is typed in a shell, with a random judge."""
    command = f"judge --judge random --sizes 48 --output {output} {options}"
    monkeypatch.setattr("sys.argv", command.split())
    judge_backbone.main()
    return read_table(output / "table.csv")


@pytest.mark.slow
def test_the_table_grows_and_no_picture_is_made_again(
    output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = f"--name one --contents coffee --styles ink mosaic --override {QUICK}"
    first = judged(monkeypatch, output, one)
    assert [(line.name, line.content, line.style) for line in first] == [
        ("one", "coffee", "ink"), ("one", "coffee", "mosaic"),
    ]  # fmt: skip
    for line in first:
        assert float(line.style_error) > 0
        assert -1 <= float(line.content_kept) <= 1
        assert line.psnr == ""
        with Image.open(output / "one" / line.file) as picture:
            assert max(picture.size) == 48
    assert "one  transfer  48 px  default  style_error " in capsys.readouterr().out
    assert (output / "fronts.png").is_file()

    with monkeypatch.context() as patched:
        patched.setattr(Transfer, "run", None)  # it would have to be called
        assert judged(patched, output, one) == first

    other = f"--name two --contents coffee --styles ink --override {QUICK} --style-weights 1 1e6"
    *kept, weak, strong = judged(monkeypatch, output, other)
    assert kept == first
    assert (weak.style_weight, strong.style_weight) == ("1", "1e6")
    assert float(weak.content_kept) > float(strong.content_kept)
    with Image.open(output / "one_48_default.jpg") as two_styles:
        with Image.open(output / "two_48_1.jpg") as one_style:
            assert two_styles.height == 2 * one_style.height


@pytest.mark.slow
def test_textures_have_a_style_error_alone(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the same size given twice is one picture."""
    options = f"--name t --contents coffee --styles ink --textures --sizes 48 48 --override {QUICK}"
    (line,) = judged(monkeypatch, output, options)
    assert (line.task, line.content, line.style) == ("texture", "", "ink")
    assert float(line.style_error) > 0
    assert line.content_kept == line.psnr == ""
    assert not (output / "fronts.png").exists()


@pytest.mark.slow
def test_reconstructions_have_a_psnr_for_each_layer(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "--name r --contents coffee --styles ink --reconstructions --override"
    lines = judged(monkeypatch, output, f"{options} {QUICK} optimizer.steps=8")
    assert tuple(line.layer for line in lines) == judge_backbone.RECONSTRUCTED
    assert all(line.style_error == line.content_kept == "" for line in lines)
    assert float(lines[0].psnr) > float(lines[-1].psnr) > 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--override optimizer.stps=2", r"unknown key 'optimizer\.stps'; did you mean"),
        ("--override preset=nosuch", "preset=nosuch: no such choice"),
        ("--style-weights heavy", r"loss\.style_weight=heavy"),
        ("--styles a/ink.png b/ink.png", "two images are called ink"),
        ("--judge nowhere.pth", "no such file"),
    ],
)
def test_a_broken_setting_is_one_line(
    options: str, says: str, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = "--name x --contents coffee --styles ink"
    with pytest.raises(SystemExit, match=f"^error: .*{says}") as caught:
        judged(monkeypatch, output, f"{common} {options}")
    assert "\n" not in str(caught.value)
    assert not (output / "table.csv").exists()


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["name", "texture"], ["shipped", "0.2"]])
    with pytest.raises(InputError, match=r"table\.csv has other columns than name, task, size"):
        read_table(table)
    assert read_table(tmp_path / "none.csv") == []


def test_a_picture_is_known_by_what_made_it() -> None:
    line = Judged("a", "transfer", 192, "5", "coffee", "ink")
    assert line.same(Judged("a", "transfer", 192, "5", "coffee", "ink", "", 0.3, 0.6, "", 2.0))
    assert not line.same(Judged("a", "transfer", 256, "5", "coffee", "ink"))
    assert not line.same(Judged("a", "transfer", 192, "50", "coffee", "ink"))
    assert line.file == "transfer_192_5_coffee_ink.png"
