from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from nst.reports.findings.studies import find_study
from nst.reports.sweeps import load_sweep
from nst.reports.write import compose, report
from tests.reports.sweeping import run_sweep
from tests.reports.synthetic import StandInJudge, stub_measuring, synthetic_sweep


class Page(HTMLParser):
    """The tags of a page; fails where they are not balanced."""

    def __init__(self, text: str):
        super().__init__()
        self.text = text
        self.open: list[str] = []
        self.sources: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.sources.append(dict(attrs).get("src") or "")
        if tag not in ("meta", "img", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure nothing and draw no general figure."""
    stub_measuring(monkeypatch)
    monkeypatch.setattr("nst.reports.write.general_figures", lambda *_: {})


def page_of(folder: Path) -> Page:
    return Page(report([folder]).read_text(encoding="utf-8"))


def composed_page(*folders: Path, panels: int = 12, study: bool = True) -> Page:
    sweep = load_sweep(folders)
    composed = compose(sweep, find_study(sweep.study) if study else None, panels=panels)
    return Page(composed.page(folders[0], lambda _: b"png"))


def in_order(text: str, *parts: str) -> bool:
    places = [text.find(part) for part in parts]
    return -1 not in places and places == sorted(places)


@pytest.mark.slow
def test_the_page_needs_no_other_file(layers_and_seeds: Path) -> None:
    page = page_of(layers_and_seeds)
    assert all(source.startswith("data:") for source in page.sources if source)
    assert len([source for source in page.sources if source]) > 4
    assert "http" not in re.sub(r"data:[^\"']*", "", page.text)
    assert page.text.count('class="cell"') == 4
    assert "<h1>content layer, seed</h1>" in page.text
    for heading in ("content loss", "style loss", "tv loss", "pixel statistics loss"):
        assert re.search(rf"<button[^>]*>{heading}</button>", page.text)


def test_the_claims_come_before_the_pictures_and_these_before_the_numbers(
    quick: None, tmp_path: Path
) -> None:
    text = composed_page(synthetic_sweep(tmp_path, study="layer_ablation")).text
    study = find_study("layer_ablation")
    assert study is not None
    heads = ("Claims", "Pictures", "Figures", "Numbers", "Time", "How it was made", "Words")
    assert in_order(text, study.question[:20], *(f">{head}</h2>" for head in heads))
    for claim in study.claims:
        assert f'id="claim-{claim.name}"' in text
    assert text.count("How this is decided") == len(study.claims)
    assert in_order(text, "Figure 1.", "Figure 2.")
    assert 'href="report/contact_sheet.pdf"' in text
    assert 'href="report/table.tex"' in text
    assert StandInJudge.sentence in text


def test_a_second_panel_has_an_answer_of_its_own(quick: None, tmp_path: Path) -> None:
    text = composed_page(
        synthetic_sweep(tmp_path, "content=astronaut,coffee", study="layer_ablation")
    ).text
    for content in ("astronaut", "coffee"):
        assert f"<h3>content {content}</h3>" in text
        assert f"<strong>content {content}</strong>" in text
    assert in_order(text, "Figure 1.", "Figure 2.", "Figure 3.")  # two sheets, then a figure


def test_panels_that_are_left_out_are_told_with_the_command_that_shows_them(
    quick: None, tmp_path: Path
) -> None:
    swept = ("content=astronaut,coffee,rocket", "init=noise,content", "style=ink,dabs", "seed=0,1")
    folder = synthetic_sweep(tmp_path / "my sweep", *swept)
    text = composed_page(folder, panels=3).text
    assert "3 of 4 panels are shown." in text
    assert f"python -m experiments.report &#39;{folder}&#39; --panels 4" in text
    assert "panels are shown" not in composed_page(folder, panels=4).text


def test_wide_grids_go_on_below(quick: None, tmp_path: Path) -> None:
    layers = ",".join(f"conv_{k}" for k in range(1, 18))
    text = composed_page(
        synthetic_sweep(tmp_path, "task=content", "init=noise,content", f"content_layer={layers}")
    ).text
    assert text.count('<table class="grid"') == 3
    assert text.count('<th scope="row">noise') == 3
    assert text.count("Figure 1.") == 1


def test_means_over_seeds_come_first_and_every_run_is_folded(quick: None, tmp_path: Path) -> None:
    text = composed_page(synthetic_sweep(tmp_path, "init=noise,content", "seed=0,1")).text
    assert in_order(text, "standard deviation</a> over the", "<summary>Every run</summary>")
    assert re.search(r"<td[^>]*>[\d.]+ ± [\d.]+</td>", text)
    alone = composed_page(synthetic_sweep(tmp_path / "alone", "init=noise,content")).text
    assert "Every run</summary>" not in alone


def test_two_sweeps_are_told_apart_and_compared(quick: None, tmp_path: Path) -> None:
    a = synthetic_sweep(tmp_path / "a", study="layer_ablation")
    b = synthetic_sweep(
        tmp_path / "b", "backbone=vgg16", "content_layer=conv_1,conv_13", study="layer_ablation"
    )
    text = composed_page(a, b).text
    assert "backbone = vgg19_mini" in text
    assert "backbone = vgg16" in text
    side_by_side = text[text.index(">Side by side</h2>") : text.index(">Numbers</h2>")]
    assert in_order(side_by_side, "PSNR", ">a</th>", ">b</th>", ">difference</th>")
    rows = re.findall(r"<tr><td.*?</tr>", side_by_side)
    assert [re.sub(r"<[^>]*>", " ", row).split()[:2] for row in rows if "conv_13" in row] == [
        ["conv_13", seed] for seed in ("0", "1", "2")
    ]
    assert 'class="gap">no such run<' in text


@pytest.mark.slow
def test_a_partial_sweep_says_what_is_missing(layers_and_seeds: Path) -> None:
    shutil.rmtree(layers_and_seeds / "0")
    text = page_of(layers_and_seeds).text
    assert "Partial report" in text
    assert "1 of 4 runs is missing" in text
    assert "python run.py content_layer=conv_1 seed=0" in text
    assert "not started" in text
    assert '<div class="gap">missing</div>' in text


@pytest.mark.slow
def test_paths_and_names_are_escaped(tmp_path: Path) -> None:
    picture = tmp_path / "a <b> & c.png"
    Image.linear_gradient("L").save(picture)
    folder = run_sweep(tmp_path / "sweep", f"content='{picture}',coffee", "task=content")
    text = page_of(folder).text
    assert "a &lt;b&gt; &amp; c" in text
    assert "<b>" not in text
    picture.unlink()
    assert page_of(folder).text == text  # the originals come from the run folders
