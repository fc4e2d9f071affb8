from __future__ import annotations

import csv
import json
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nst.errors import InputError, Interruption
from nst.reports.drawing.curves import loss_curves
from nst.reports.findings.claims import Answer, Claim, Verdict
from nst.reports.findings.judging import ClaimFinding, StudyFinding
from nst.reports.sweeps import load_sweep
from nst.reports.write import Choices, claims_table, report, write_report
from tests.reports.sweeping import run_sweep
from tests.reports.synthetic import stub_measuring, synthetic_sweep


@pytest.mark.slow
def test_sheets_figures_and_table_stand_beside_the_page(layers_and_seeds: Path) -> None:
    folder = layers_and_seeds
    assert report([folder]) == folder / "report.html"
    names = {file.name for file in (folder / "report").iterdir()}
    assert {"contact_sheet.png", "contact_sheet.pdf", "loss_curves.png", "runs.csv"} <= names
    assert {"loss_curves.pdf", "loss_curves.svg", "captions.md", "table.tex"} <= names
    assert {"seed_difference_conv_1.png", "seed_difference_conv_4.pdf"} <= names
    with (folder / "report" / "runs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["content_layer"], r["seed"]) for r in rows] == [
        *(("conv_1", "0"), ("conv_1", "1"), ("conv_4", "0"), ("conv_4", "1")),
    ]
    assert rows[0]["command"].startswith("python run.py content_layer=conv_1 seed=0 ")
    assert 0 < float(rows[0]["content_kept"]) <= 1
    with (folder / "report" / "summary.csv").open(newline="", encoding="utf-8") as file:
        summary = list(csv.DictReader(file))
    assert [(r["content_layer"], r["n"]) for r in summary] == [("conv_1", "2"), ("conv_4", "2")]
    captions = (folder / "report" / "captions.md").read_text(encoding="utf-8")
    pictures = {name.partition(".")[0] for name in names if name.endswith(".pdf")}
    assert set(re.findall(r"(?m)^## (.*)$", captions)) == pictures


@pytest.mark.slow
def test_contact_sheets_come_first_among_the_pictures(layers_and_seeds: Path) -> None:
    written = write_report(load_sweep([layers_and_seeds]), layers_and_seeds)
    assert list(written.pictures)[:2] == ["contact_sheet", "loss_curves"]
    assert all(file.is_file() for file in written.pictures.values())


@pytest.mark.slow
def test_several_folders_stand_side_by_side(tmp_path: Path) -> None:
    a = run_sweep(tmp_path / "a", "init=noise")
    b = run_sweep(tmp_path / "b", "init=noise", "loss.tv_weight=5")
    page = report([a, b], tmp_path / "both")
    assert page == tmp_path / "both" / "report.html"
    text = page.read_text(encoding="utf-8")
    assert text.count('class="cell"') == 2
    assert "loss.tv_weight = 5" in text


@pytest.mark.slow
def test_a_moved_folder_still_gives_its_report(layers_and_seeds: Path, tmp_path: Path) -> None:
    shutil.move(layers_and_seeds, tmp_path / "elsewhere")
    assert report([tmp_path / "elsewhere"]).is_file()


@pytest.mark.slow
def test_a_report_takes_the_place_of_an_earlier_one(layers_and_seeds: Path) -> None:
    folder = layers_and_seeds
    report([folder])
    before = {file.name for file in (folder / "report").iterdir()}
    notes = folder / "report" / "notes.txt"
    notes.write_text("mine")
    shutil.rmtree(folder / "1")  # with one seed there is no difference between seeds
    assert {"seed_difference_conv_1.png", "seed_difference_conv_4.png"} < before
    report([folder])
    after = {file.name for file in (folder / "report").iterdir()}
    assert before - after == {
        f"seed_difference_conv_1.{ending}" for ending in ("png", "pdf", "svg")
    }
    assert notes.read_text() == "mine"


def everything(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@pytest.mark.parametrize(
    "name", ["report.html", "report", "report/psnr.png", "report/.nst-report", "report/thesis.tex"]
)
def test_files_that_no_report_wrote_are_never_replaced(name: str, layers_and_seeds: Path) -> None:
    folder = layers_and_seeds
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("mine")
    before = everything(folder)
    with pytest.raises(InputError, match="was not written by a report") as refused:
        report([folder])
    assert "\n" not in str(refused.value)
    assert everything(folder) == before


@pytest.mark.slow
def test_a_table_that_was_edited_since_is_never_replaced(layers_and_seeds: Path) -> None:
    folder = layers_and_seeds
    report([folder])
    (folder / "report" / "runs.csv").write_text("my own conclusions")
    before = everything(folder)
    with pytest.raises(InputError, match=r"runs\.csv was not written by a report"):
        report([folder])
    after = everything(folder)
    assert before.pop("report.html") != after.pop("report.html")
    assert after == before


@pytest.mark.slow
def test_a_page_of_before_does_not_look_new_where_the_report_fails(
    layers_and_seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("nothing to divide")

    page = report([layers_and_seeds])
    monkeypatch.setattr("nst.reports.write.lay_out", fail)
    with pytest.raises(ZeroDivisionError):
        report([layers_and_seeds])
    assert "This page is of an earlier report" in page.read_text(encoding="utf-8")
    monkeypatch.undo()
    assert "earlier report" not in report([layers_and_seeds]).read_text(encoding="utf-8")


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file grows beyond so many bytes, as where a disk is full."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def with_curves_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure nothing, and draw one figure."""
    stub_measuring(monkeypatch)
    monkeypatch.setattr(
        "nst.reports.write.general_figures", lambda *how: {"loss_curves": loss_curves(*how)}
    )


@pytest.mark.parametrize("room", [0, 2_000, 50_000])
@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_the_earlier_report(
    tmp_path: Path, room: int, with_curves_alone: None
) -> None:
    folder = synthetic_sweep(tmp_path, "seed=0,1")
    report([folder])
    before = everything(folder)
    assert len(before["report.html"]) > 50_000
    with full_disk(room), pytest.raises(InputError, match="no report can be written") as error:
        report([folder])
    assert "\n" not in str(error.value)
    assert everything(folder) == before
    assert report([folder]).is_file()


def test_a_signal_while_a_report_is_drawn_leaves_the_earlier_one(
    tmp_path: Path, with_curves_alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise Interruption(signal.SIGTERM)

    folder = synthetic_sweep(tmp_path, "seed=0,1")
    report([folder])
    before = everything(folder)
    for step in ("save_figure", "render"):
        monkeypatch.setattr(f"nst.reports.write.{step}", interrupted)
        with pytest.raises(Interruption):
            report([folder])
        assert everything(folder) == before


@pytest.mark.slow
def test_who_asks_for_a_report_chooses_width_judge_and_panels(layers_and_seeds: Path) -> None:
    choices = Choices(figure_width=7.0, judge="vgg19_mini", panels=1)
    text = report([layers_and_seeds], choices=choices).read_text(encoding="utf-8")
    assert "judged by vgg19_mini" in text
    svg = (layers_and_seeds / "report" / "loss_curves.svg").read_text(encoding="utf-8")
    assert 'width="504pt"' in svg
    with pytest.raises(InputError, match=r"report\.judge=vgg"):
        report([layers_and_seeds], choices=Choices(judge="vgg"))


@pytest.mark.slow
def test_records_of_before_the_keys_of_reports_are_read(layers_and_seeds: Path) -> None:
    for file in layers_and_seeds.rglob("record.json"):
        record = json.loads(file.read_text())
        record["config"]["report"] = True
        file.write_text(json.dumps(record))
    assert report([layers_and_seeds]).is_file()


def test_claims_are_a_row_each_and_one_for_each_panel() -> None:
    answers = [Answer(verdict, "so", 1.0, 0.1, 3, "dB") for verdict in Verdict]
    claim = Claim("falls", "It falls.", "m", "t", "o", lambda _: answers[0])
    alone = ClaimFinding(claim, (("", answers[0]),), answers[0])
    split = ClaimFinding(claim, (("a", answers[0]), ("b", answers[2])), answers[1])
    table = claims_table(StudyFinding(Verdict.partly, (alone, split)))
    assert table["panel"].tolist() == ["", "", "a", "b"]
    assert table["verdict"].tolist() == ["reproduced", "partly", "reproduced", "not reproduced"]
    assert set(table) >= {"claim", "value", "spread", "text"}
