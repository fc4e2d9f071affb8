from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

from PIL import Image

from nst.reports.write import report
from tests.reports.sweeping import run_sweep


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


def page_of(folder: Path) -> Page:
    return Page(report([folder]).read_text(encoding="utf-8"))


def test_the_page_needs_no_other_file(layers_and_seeds: Path) -> None:
    page = page_of(layers_and_seeds)
    assert all(source.startswith("data:") for source in page.sources if source)
    assert len([source for source in page.sources if source]) > 4
    assert "http" not in re.sub(r"data:[^\"']*", "", page.text)
    assert page.text.count('class="cell"') == 4
    assert "<h1>content layer, seed</h1>" in page.text
    for heading in ("content loss", "style loss", "tv loss", "pixel statistics loss"):
        assert f"<button>{heading}</button>" in page.text


def test_a_partial_sweep_says_what_is_missing(layers_and_seeds: Path) -> None:
    shutil.rmtree(layers_and_seeds / "0")
    text = page_of(layers_and_seeds).text
    assert "Partial report" in text
    assert "1 of 4 runs is missing" in text
    assert "python run.py content_layer=conv_1 seed=0" in text
    assert "not started" in text
    assert '<div class="gap">missing</div>' in text


def test_paths_and_names_are_escaped(tmp_path: Path) -> None:
    picture = tmp_path / "a <b> & c.png"
    Image.linear_gradient("L").save(picture)
    folder = run_sweep(tmp_path / "sweep", f"content='{picture}',coffee", "task=content")
    text = page_of(folder).text
    assert "a &lt;b&gt; &amp; c" in text
    assert "<b>" not in text
    picture.unlink()
    assert page_of(folder).text == text  # the originals come from the run folders
