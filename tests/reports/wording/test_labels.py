"""What values of a key are called in sheets, tables and plots."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.text import Text

from nst.command.line.names import one_name, quoted
from nst.reports.layout import lay_out
from nst.reports.sweeps import Axis, load_sweep
from nst.reports.tables import timing
from nst.reports.wording.captions import setting
from nst.reports.wording.labels import labels, unquoted
from nst.reports.wording.latex import latex_table
from nst.reports.write import compose
from tests.command.line.test_names import NAMES
from tests.reports.synthetic import stub_measuring, synthetic_sweep


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a/cat.jpg", "b/dog.jpg"], ["cat", "dog"]),
        (["a/cat.jpg", "b/cat.jpg", "b/dog.jpg"], ["a/cat", "b/cat", "dog"]),
        (["cat.jpg", "cat.png"], ["cat.jpg", "cat.png"]),
        (["swirl", "swirl.png"], ["swirl", "swirl.png"]),
        (["swirl", "my/swirl.png", "your/swirl.png"], ["swirl", "my/swirl", "your/swirl"]),
        (["cat.jpg", "a/cat.jpg"], ["cat", "a/cat"]),
        (["x/a/cat.jpg", "y/a/cat.jpg"], ["x/a/cat", "y/a/cat"]),
        (["a/cat.jpg", "a/cat.png", "b/cat.png"], ["cat.jpg", "a/cat", "b/cat"]),
        (["/cat.jpg", "cat.jpg"], ["/cat", "cat"]),
        (["'a b/it.png'", "c/it.png"], ["a b/it", "c/it"]),
        (["0.5", "conv_1", "[conv_1,conv_2]"], ["0.5", "conv_1", "conv_1, conv_2"]),
        (["a\tb", "a b", "a  b"], ["a b (1)", "a b (2)", "a b (3)"]),
    ],
)
def test_values_are_called_what_tells_them_apart(values: list[str], expected: list[str]) -> None:
    assert labels(values) == dict(zip(values, expected, strict=True))


def test_long_names_stay_different_where_their_middles_are_cut() -> None:
    names = [f"{'x' * 70}{i}{'y' * 20}.png" for i in range(3)]
    told = list(labels(names).values())
    assert len(set(told)) == 3
    assert max(map(len, told)) < 70


@pytest.mark.parametrize("name", [f"{name}.png" for name in NAMES])
def test_a_quoted_value_is_the_name_that_it_means(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(b"a picture")
    assert unquoted(one_name(name)) == name
    assert unquoted(quoted(name)) == name or "${" in name


def test_some_values_of_an_axis_are_called_as_they_are_among_all() -> None:
    whole = Axis("style", ("a/cat.jpg", "b/cat.jpg", "c/dog.jpg"))
    part = whole.restricted(["b/cat.jpg", "c/dog.jpg"])
    assert part.labels == ("b/cat", "dog")
    assert part.restricted(["b/cat.jpg"]).name("b/cat.jpg") == "b/cat"
    assert part == Axis("style", ("b/cat.jpg", "c/dog.jpg"))


def test_a_report_tells_files_of_one_name_apart_wherever_it_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_measuring(monkeypatch)
    contents = "content=a/cat.jpg,'b b/cat.jpg'"
    styles = "style=swirl,my/swirl.png"
    sweep = load_sweep([synthetic_sweep(tmp_path, contents, styles)])
    cats, swirls = ["a/cat", "b b/cat"], ["swirl", "swirl.png"]
    (panel,) = lay_out(sweep).panels
    assert [line.label for line in panel.rows] == cats
    assert [line.label for line in panel.columns] == swirls
    assert "content a/cat, b b/cat, style swirl, swirl.png" in setting(sweep)
    assert [line.name for line in timing(sweep).lines[1:]] == [f"content {cat}" for cat in cats]
    report = compose(sweep)
    page = report.page(tmp_path, lambda _: b"png")
    table = latex_table(sweep, "")
    for cat in cats:
        for swirl in swirls:
            assert f"{cat} · {swirl}" in page
            assert f"{cat} & {swirl} & 1" in table
    drawn = {
        text.get_text()
        for drawing in report.drawings.values()
        for text in drawing.figure.findobj(Text)
    }
    assert {*cats, *swirls} <= drawn


def test_sweeps_side_by_side_say_which_file_each_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_measuring(monkeypatch)
    folders = [
        synthetic_sweep(tmp_path / name, f"content={name}/cat.jpg", "init=noise", "seed=0,1")
        for name in ("a", "b")
    ]
    page = compose(load_sweep(folders)).page(tmp_path, lambda _: b"png")
    assert "content = a/cat" in page
    assert "content = b/cat" in page
