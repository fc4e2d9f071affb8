"""The report in a real browser, at a desktop's and a phone's width."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.end_to_end.test_run import QUICK, run

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.slow
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")

TRY = """
<script>
addEventListener("load", () => {
  const cell = document.querySelector(".cell"), dialog = document.getElementById("large");
  const width = document.documentElement.scrollWidth;
  const loaded = [...document.images].filter(i => i.src).every(i => i.naturalWidth > 0);
  cell.click();
  const opened = dialog.open, command = dialog.querySelector("code").textContent;
  dialog.querySelector("button").click();
  const closed = !dialog.open;
  const heads = document.querySelectorAll(".sortable th button");
  const first = () => [...document.querySelectorAll(".sortable tbody tr")].map(
    r => r.cells[1].dataset.sort);
  heads[1].click(); const up = first(); heads[1].click(); const down = first();
  const seen = {width, window: innerWidth, loaded, opened, closed, command, up, down};
  document.body.dataset.seen = JSON.stringify(seen);
});
</script>
"""


def browse(page: Path, profile: Path, width: int, *options: str) -> str:
    assert BROWSER is not None
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
        *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
        *("--disable-sync", "--hide-scrollbars", f"--user-data-dir={profile}"),
        *(f"--window-size={width},1200", *options, page.as_uri()),
    ]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report as a sweep leaves it; the second layer's jobs fail."""
    folder = tmp_path_factory.mktemp("sweep")
    sweep = ("content_layer=conv_1,conv_4", "seed=0,1", "init=noise", "hydra.sweep.dir=swept")
    process = run("-m", *sweep, *QUICK, "logger=none", cwd=folder)
    assert process.returncode == 0, process.stderr
    return folder / "swept" / "report.html"


@needs_browser
@pytest.mark.parametrize("width", [1280, 500])  # the narrowest window that Chromium opens
def test_the_page_works(page: Path, tmp_path: Path, width: int) -> None:
    tried = page.with_name(f"tried_{width}.html")
    tried.write_text(page.read_text(encoding="utf-8") + TRY, encoding="utf-8")
    dom = browse(tried, tmp_path, width, "--dump-dom")
    match = re.search(r'data-seen="([^"]*)"', dom)
    assert match, dom[-2000:]
    seen: dict[str, Any] = json.loads(unescape(match[1]))
    assert seen["width"] <= seen["window"]  # nothing makes the page itself scroll sideways
    assert seen["loaded"]
    assert seen["opened"]
    assert seen["closed"]
    assert seen["command"].startswith("python run.py content_layer=conv_1 seed=0 init=noise")
    assert list(map(float, seen["up"])) == [0, 0, 1, 1]
    assert list(map(float, seen["down"])) == [1, 1, 0, 0]


@needs_browser
def test_the_page_is_not_blank(page: Path, tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    browse(page, tmp_path / "profile", 1280, f"--screenshot={shot}")
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
