"""Reports of real, tiny sweeps: everything is read from the run folders alone."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from matplotlib.figure import Figure
from PIL import Image

from experiments.report import STUDIES, find_study
from experiments.report import main as report_main
from experiments.report import report as write
from nst import config
from nst.command import cli
from nst.reports import figures
from nst.reports.report import lay_out, seed_groups
from nst.reports.sweeps import load_sweep
from nst.runs.job import Context, run_job

QUICK = ["size=24", "optimizer.steps=2", "logger=none", "device=cpu"]
MakeSweep = Callable[..., Path]


@pytest.fixture
def make_sweep(tmp_path: Path) -> MakeSweep:
    """Run a sweep in this process, with its plan, as ``run.py -m`` would."""

    def build(*overrides: str, name: str = "sweep", skip: int = 0) -> Path:
        folder = tmp_path / name
        jobs = cli.expand_sweep([*overrides, *QUICK])
        for number, job in enumerate(jobs[skip:]):
            with initialize_config_dir(str(cli.CONF), version_base="1.3"):
                cfg = config.from_omegaconf(compose("config", job))
            run_job(cfg, Context(folder / f"{number}", overrides=job))
        study = next((o.partition("=")[2] for o in overrides if o.startswith("study=")), None)
        plan = {"study": study, "study_size": "quick", "overrides": list(overrides), "jobs": jobs}
        (folder / "sweep.json").write_text(json.dumps({**plan, "report": True}))
        return folder

    return build


class Page(HTMLParser):
    """Tags of a page, and whether they are balanced."""

    def __init__(self, text: str):
        super().__init__()
        self.text = text
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in ("meta", "img", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_free_sweep_of_two_axes(make_sweep: MakeSweep) -> None:
    folder = make_sweep("content_layer=conv_1,conv_4", "seed=0,1", "init=noise")
    page = write([folder])
    parsed = Page(page.read_text(encoding="utf-8"))
    assert not parsed.open
    assert all(str(image.get("src", "")).startswith("data:") or not image.get("src")
               for image in parsed.images)  # fmt: skip
    assert "http" not in re.sub(r"data:[^\"']*", "", parsed.text)
    assert parsed.text.count('class="cell"') == 4
    assert "content layer, seed" in parsed.text
    with (folder / "report" / "runs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["content_layer"], r["seed"]) for r in rows] == [
        *(("conv_1", "0"), ("conv_1", "1"), ("conv_4", "0"), ("conv_4", "1")),
    ]
    assert rows[0]["command"].startswith("python run.py content_layer=conv_1 seed=0 ")
    names = {file.name for file in (folder / "report").iterdir()}
    assert {"contact_sheet.png", "loss_curves.pdf", "psnr.png"} <= names
    assert {"seed_difference_conv_1.png", "seed_difference_conv_4.pdf"} <= names


def test_a_partial_sweep_says_what_is_missing(make_sweep: MakeSweep) -> None:
    folder = make_sweep("content_layer=conv_1,conv_2", "seed=0,1", "init=noise", skip=1)
    text = write([folder]).read_text(encoding="utf-8")
    assert "Partial report" in text
    assert "1 of 4 runs is missing" in text
    assert "python run.py content_layer=conv_1 seed=0" in text
    assert "not started" in text
    assert '<div class="gap">missing</div>' in text


def test_originals_stand_on_the_border(make_sweep: MakeSweep) -> None:
    folder = make_sweep("content=astronaut,coffee", "style=ink,mosaic", "study=gallery")
    sweep = load_sweep([folder])
    (panel,) = lay_out(sweep, find_study("gallery"))
    assert panel.rows is not None
    assert panel.columns is not None
    assert (panel.rows.key, panel.columns.key) == ("content", "style")
    write([folder])
    with Image.open(folder / "report" / "contact_sheet.png") as sheet:
        assert sheet.width > 3 * 160
        assert sheet.height > 2 * 160


def test_paths_and_names_are_escaped(make_sweep: MakeSweep, tmp_path: Path) -> None:
    picture = tmp_path / "a <b> & c.png"
    Image.linear_gradient("L").save(picture)
    folder = make_sweep(f"content='{picture}',coffee", "task=content")
    text = write([folder]).read_text(encoding="utf-8")
    assert "a &lt;b&gt; &amp; c" in text
    assert "<b>" not in text
    picture.unlink()  # the originals come from the run folders
    write([folder])


def test_several_folders_stand_side_by_side(make_sweep: MakeSweep, tmp_path: Path) -> None:
    a = make_sweep("seed=0,1", "init=noise", name="a")
    b = make_sweep("seed=0,1", "init=noise", "loss.tv_weight=5", name="b")
    page = write([a, b], tmp_path / "both")
    assert page.parent == tmp_path / "both"
    text = page.read_text(encoding="utf-8")
    assert text.count('class="cell"') == 4
    assert "tv weight 5" in text


def test_a_moved_folder_still_gives_its_report(make_sweep: MakeSweep, tmp_path: Path) -> None:
    folder = make_sweep("seed=0,1", "init=noise")
    shutil.move(folder, tmp_path / "elsewhere")
    assert write([tmp_path / "elsewhere"]).is_file()


def test_seed_differences(make_sweep: MakeSweep) -> None:
    folder = make_sweep("seed=0,1", "init=noise", "task=content")
    ((name, found),) = seed_groups(load_sweep([folder])).items()
    assert name == "seed_difference"
    assert [d.name for d in found] == ["seed 0 − seed 1", "seed 0 − original", "seed 1 − original"]
    assert found[0].rms > 0
    assert found[0].mean == pytest.approx(found[1].mean - found[2].mean, abs=1e-4)
    assert isinstance(figures.difference_figure(found), Figure)


def test_the_command_line(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_sweep("seed=0,1", "init=noise")
    monkeypatch.setattr("sys.argv", ["report", str(folder)])
    report_main()
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    monkeypatch.setattr("sys.argv", ["report", str(folder / "nowhere")])
    with pytest.raises(SystemExit, match="no such folder"):
        report_main()


STUDY_SWEEPS = {
    "layer_ablation": ["content_layer=input,conv_1,conv_4,conv_8"],
    "content_seeds": ["seed=0,1"],
    "texture_layers": ["style_layers=conv_1-2,conv_1-5,conv_11-15,conv_9-12"],
    "texture_seeds": ["seed=0,1"],
    "layer_grid": ["content_layer=conv_1,conv_4,conv_8", "style_layers=conv_1-5,conv_6-10"],
    "init_timing": ["init=noise,content", "seed=0,1"],
    "gallery": ["content=astronaut,coffee", "style=ink,mosaic"],
    "weights": ["loss.style_weight=300,30", "loss.content_weight=1,0.1"],
}


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_judges_its_runs_in_numbers(name: str, make_sweep: MakeSweep) -> None:
    folder = make_sweep(f"study={name}", *STUDY_SWEEPS[name])
    study = find_study(name)
    assert study is not None
    assert study.name == name
    finding = study.judge(load_sweep([folder]))
    assert finding.status in ("reproduced", "partly", "not reproduced")
    assert re.search(r"\d", finding.text)
    text = write([folder]).read_text(encoding="utf-8")
    assert finding.status in text
    assert study.question.replace("'", "&#39;") in text


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_of_one_run_says_that_it_is_too_little(name: str, make_sweep: MakeSweep) -> None:
    folder = make_sweep(f"study={name}", "seed=0")
    study = find_study(name)
    assert study is not None
    assert study.judge(load_sweep([folder])).status == "open"
    assert write([folder]).is_file()
