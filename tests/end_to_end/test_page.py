"""The report in a real browser, at widths from a phone's to a desktop's, and when it fails."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.end_to_end.test_run import QUICK, ROOT, run, start

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.slow
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
WIDTHS = (390, 1280, 1920)

TRY = """
<script>
addEventListener("load", () => {
  const all = selector => [...document.querySelectorAll(selector)];
  const texts = selector => all(selector).map(each => each.textContent.trim());
  const seen = {
    window: innerWidth,
    width: document.documentElement.scrollWidth,
    cut: all("main *").filter(each => !each.closest(".scroll") && each.getClientRects().length)
      .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
      .map(each => each.outerHTML.slice(0, 80)),
    overfull: all("th, .badge, h1, h2, figcaption")
      .filter(each => each.clientWidth && each.scrollWidth > each.clientWidth + 1)
      .map(each => each.outerHTML.slice(0, 80)),
    loaded: [...document.images].filter(i => i.src).every(i => i.naturalWidth > 0),
    badges: texts(".badge"), words: texts("a.word"),
    unexplained: all("a.word").map(word => word.getAttribute("href"))
      .filter(href => !document.querySelector(href + " + dd")),
    links: all("a").map(a => a.getAttribute("href")).filter(href => !href.startsWith("#")),
  };
  const tip = document.getElementById("tip"), word = document.querySelector("a.word");
  const shown = () => {
    const box = tip.getBoundingClientRect();
    const inside = box.left >= 0 && box.right <= innerWidth;
    return !tip.hidden && inside && tip.textContent.length > 20;
  };
  seen.tips = all("a.word").slice(0, 8).map(each => { each.focus(); return shown(); });
  word.focus(); word.blur(); seen.blurred = tip.hidden;
  word.click(); seen.tapped = shown();
  dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"})); seen.escaped = tip.hidden;
  const cell = document.querySelector(".cell"), dialog = document.getElementById("large");
  cell.click();
  seen.opened = dialog.open; seen.command = dialog.querySelector("code").textContent;
  dialog.querySelector("button").click();
  seen.closed = !dialog.open;
  all("details").forEach(each => each.open = true);
  const table = all(".sortable").pop(), heads = table.querySelectorAll("th button");
  const column = () => [...table.tBodies[0].rows].map(row => row.cells[1].dataset.sort);
  heads[1].click(); seen.up = column(); heads[1].click(); seen.down = column();
  document.querySelector("table.grid").style.setProperty("--native", 2000);
  seen.grid = document.querySelector("table.grid").getBoundingClientRect().width;
  document.querySelector("table.grid").style.setProperty("--native", 256);
  seen.native = cell.querySelector("img").getBoundingClientRect().width;
  parent.postMessage(JSON.stringify(seen), "*");
});
</script>
"""
FRAME = """<!doctype html><body style="margin: 0">
<script>onmessage = event => { document.body.dataset.seen = event.data; };</script>
<iframe src="SOURCE" style="width: WIDTHpx; height: 4000px; border: 0"></iframe>
"""
"""Chromium opens no window that is as narrow as a phone, but a frame may be."""


def browse(page: Path, profile: Path, *options: str) -> str:
    assert BROWSER is not None
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
        *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
        *("--disable-sync", "--hide-scrollbars", f"--user-data-dir={profile}"),
        *("--virtual-time-budget=5000", *options, page.as_uri()),
    ]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's report as its sweep leaves it; two steps say nothing to any claim."""
    folder = tmp_path_factory.mktemp("sweep")
    sweep = ("study=layer_ablation", "content_layer=conv_1,conv_4", "seed=0,1")
    process = run("-m", *sweep, "hydra.sweep.dir=swept", *QUICK, "logger=none", cwd=folder)
    assert process.returncode == 0, process.stderr
    return folder / "swept" / "report.html"


def tried(page: Path, width: int, profile: Path) -> dict[str, Any]:
    """What a script in the page saw in a window of this width."""
    inside, frame = (page.with_name(f"{name}_{width}.html") for name in ("inside", "frame"))
    inside.write_text(page.read_text(encoding="utf-8") + TRY, encoding="utf-8")
    frame.write_text(
        FRAME.replace("SOURCE", inside.name).replace("WIDTH", str(width)), encoding="utf-8"
    )
    dom = browse(frame, profile, "--window-size=2000,4000", "--dump-dom")
    match = re.search(r'data-seen="([^"]*)"', dom)
    assert match, dom[-2000:]
    seen: dict[str, Any] = json.loads(unescape(match[1]))
    assert seen["window"] == width
    return seen


@needs_browser
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_works(page: Path, tmp_path: Path, width: int) -> None:
    seen = tried(page, width, tmp_path)
    assert seen["width"] <= width  # nothing makes the page itself scroll sideways
    assert seen["cut"] == []
    assert seen["overfull"] == []
    assert seen["loaded"]
    assert set(seen["badges"]) == {"? cannot say"}
    assert {"PSNR", "L-BFGS"} <= set(seen["words"])
    assert seen["unexplained"] == []
    assert seen["tips"] == [True] * len(seen["tips"])
    assert seen["blurred"]
    assert seen["tapped"]
    assert seen["escaped"]
    assert seen["opened"]
    assert seen["closed"]
    assert seen["command"].startswith("python run.py ")
    assert {"content_layer=conv_1", "seed=0"} <= set(seen["command"].split())
    assert list(map(float, seen["up"])) == [0, 0, 1, 1]
    assert list(map(float, seen["down"])) == [1, 1, 0, 0]


@needs_browser
@pytest.mark.parametrize("width", WIDTHS[1:])
def test_pictures_have_their_own_size_where_there_is_room_and_else_fill_the_window(
    page: Path, tmp_path: Path, width: int
) -> None:
    seen = tried(page, width, tmp_path)
    assert seen["native"] == pytest.approx(256, abs=1)
    assert 0.8 * width < seen["grid"] <= width


@needs_browser
def test_every_file_that_the_page_links_is_there(page: Path, tmp_path: Path) -> None:
    links = tried(page, 1280, tmp_path)["links"]
    assert {"report/contact_sheet.pdf", "report/loss_curves.svg", "report/runs.csv"} <= set(links)
    for link in links:
        assert (page.parent / link).is_file(), link


@needs_browser
def test_the_page_is_not_blank(page: Path, tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    browse(page, tmp_path / "profile", "--window-size=1280,1200", f"--screenshot={shot}")
    with Image.open(shot) as image:
        colors = image.convert("RGB").getcolors(1 << 24)
    assert colors is not None
    assert len(colors) > 500


def test_the_report_comes_by_itself_also_when_a_job_failed(tmp_path: Path) -> None:
    process = run(
        "-m", "init=noise", "size=32", "seed=0", "optimizer.steps=1", "device=cpu",
        "logger=none", "hydra.sweep.dir=swept", "backbone.weights=broken.pth,shipped",
        cwd=make_broken(tmp_path),
    )  # fmt: skip
    assert process.returncode != 0
    text = (tmp_path / "swept" / "report.html").read_text(encoding="utf-8")
    assert "Partial report" in text
    assert "no readable state dict" in text
    assert "report: swept/report.html" in process.stdout


def make_broken(folder: Path) -> Path:
    (folder / "broken.pth").write_bytes(b"nothing that can be read")
    return folder


def test_no_report_where_none_is_asked_for(tmp_path: Path) -> None:
    sweep = ("seed=0,1", "init=noise", "report=false", "hydra.sweep.dir=swept")
    process = run("-m", *sweep, *QUICK, "logger=none", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert not (tmp_path / "swept" / "report.html").exists()


def test_a_report_that_fails_ends_the_program_with_a_failure(tmp_path: Path) -> None:
    """The runs are kept, and one line says how to write the report again."""
    sweep = ("-m", "seed=0,1", "init=noise", "hydra.sweep.dir=my sweep", *QUICK, "logger=none")
    judge = ("report.judge=vgg19", f"report.judge_weights={make_broken(tmp_path)}/broken.pth")
    process = run(*sweep, *judge, cwd=tmp_path)
    assert process.returncode == 1
    assert not (tmp_path / "my sweep" / "report.html").exists()
    assert len(list((tmp_path / "my sweep").glob("*/record.json"))) == 2
    said = process.stdout + process.stderr
    assert "no report: " in said
    again = re.search(r"python -m experiments\.report 'my sweep'", said)
    assert again
    module = [sys.executable, "-m", "experiments.report", "my sweep", "--judge=vgg19_mini"]
    process = start(module, tmp_path, {"PYTHONPATH": str(ROOT)})
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "my sweep" / "report.html").is_file()


def test_the_short_form_is_one_of_a_sweep_too(tmp_path: Path) -> None:
    sweep = ("-m", "seed=0,1", "init=noise", "report.enabled=false", "report=true")
    process = run(*sweep, "hydra.sweep.dir=swept", *QUICK, "logger=none", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "swept" / "report.html").is_file()
