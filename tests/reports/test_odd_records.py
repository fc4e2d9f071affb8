"""Reports of sweeps whose records, pictures and traces are not as a run leaves them."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nst.errors import InputError
from nst.reports.findings.studies import find_study
from nst.reports.settings import report_settings
from nst.reports.sweeps import load_sweep
from nst.reports.write import compose, report
from tests.reports.synthetic import stub_measuring, synthetic_sweep

Key = tuple[str, ...]
GONE = object()
ODD: tuple[object, ...] = (
    *(None, [], {}, "x", -1, 1.5, True, [1], 10**400, float("nan"), {"a": [{}]}, "\ud800\n\0"),
)


def keys_of(values: Mapping[str, Any], above: Key = ()) -> Iterator[Key]:
    """Every key of a record, of its config and of what is in that.

    What a report is asked to be is left out: a judge that cannot be had is an error of its own.
    """
    for key, value in values.items():
        if key == "report":
            continue
        yield (*above, key)
        if isinstance(value, dict) and len(above) < 2:
            yield from keys_of(value, (*above, key))


def changed(record: Mapping[str, Any], key: Key, value: object) -> dict[str, Any]:
    """A record with something else in a key, or without it."""
    whole = copy.deepcopy(dict(record))
    inner = whole
    for name in key[:-1]:
        inner = inner[name]
    if value is GONE:
        del inner[key[-1]]
    else:
        inner[key[-1]] = value
    return whole


def compose_all(folder: Path) -> int:
    """Everything of a report, in memory; how many runs it counts, 0 where it is an error's line."""
    try:
        sweep = load_sweep([folder])
    except InputError:
        return 0
    composed = compose(sweep, find_study(sweep.study), report_settings(sweep))
    assert "</html>" in composed.page(folder, lambda _: b"png")
    writers = composed.writers()
    for name in ("runs.csv", "summary.csv", "table.tex", "captions.md"):
        writers[name](folder / name)
    return len(sweep.runs)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    stub_measuring(monkeypatch)
    monkeypatch.setattr("nst.reports.write.general_figures", lambda *_: {})


@pytest.mark.slow
def test_one_odd_record_leaves_a_report_of_the_others(
    quick: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every key with every odd value: a run each, in one sweep."""
    folder = synthetic_sweep(tmp_path, "seed=0,1")
    record = json.loads((folder / "1" / "record.json").read_text())
    count = 0
    for key in keys_of(record):
        for value in (GONE, *ODD):
            shutil.copytree(folder / "1", folder / f"odd_{count}")
            odd = json.dumps(changed(record, key, value) | {"config_hash": str(count)})
            (folder / f"odd_{count}" / "record.json").write_text(odd)
            count += 1
    reported = compose_all(folder)
    assert 2 < reported < count
    left_out = [text for text in caplog.messages if "is left out" in text]
    assert all(str(folder) in text for text in left_out)
    assert len(left_out) >= 100


RECORD_KEYS = (
    *("task", "losses", "losses_unweighted", "terms", "restarts", "steps", "psnr", "ssim"),
    *("seconds", "seconds_per_step", "peak_memory_mb", "width", "height", "backbone", "device"),
    *("device_name", "threads", "seed", "finished", "commit", "config_hash", "config", "status"),
)


@pytest.mark.parametrize("key", RECORD_KEYS)
@pytest.mark.parametrize("study", [None, "layer_ablation"])
@pytest.mark.slow
def test_records_of_a_version_without_a_key_give_a_report(
    tmp_path: Path, key: str, study: str | None, quick: None
) -> None:
    swept = () if study else ("init=noise,content", "seed=0,1")
    folder = synthetic_sweep(tmp_path, *swept, study=study)
    files = list(folder.rglob("record.json"))
    for file in files:
        file.write_text(json.dumps(changed(json.loads(file.read_text()), (key,), GONE)))
    assert compose_all(folder) == len(files)


STUDIES = (None, "layer_ablation", "init_timing", "weights")


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_whatever_is_in_a_key_of_every_record_is_no_traceback(
    quick: None, tmp_path: Path, study: str | None
) -> None:
    """Each key in one of the sweeps, for time's sake."""
    swept = () if study else ("init=noise,content", "seed=0,1")
    folder = synthetic_sweep(tmp_path, *swept, study=study)
    records = {file: json.loads(file.read_text()) for file in folder.rglob("record.json")}
    for key in list(keys_of(next(iter(records.values()))))[STUDIES.index(study) :: len(STUDIES)]:
        for value in (GONE, None, "x", -1, []):
            for file, record in records.items():
                file.write_text(json.dumps(changed(record, key, value)))
            compose_all(folder)


# --- pictures and traces --------------------------------------------------------------------------


def other_size(file: Path) -> None:
    Image.new("RGB", (7, 5)).save(file)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def text(file: Path) -> None:
    file.write_text("not what its name says")


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        ("image.png", Path.unlink, "it has no image.png"),
        ("image.png", cut, "its image.png cannot be read"),
        ("image.png", text, "its image.png cannot be read"),
        ("image.png", other_size, "its image.png has 7 × 5 pixels, where its record says 24 × 16"),
        ("trace.csv", Path.unlink, "it has no trace.csv"),
        ("trace.csv", cut, None),  # a torn line is left out
        ("trace.csv", text, "its trace.csv cannot be read"),
    ],
)
@pytest.mark.slow
def test_a_run_whose_files_are_spoilt_is_reported_and_its_cell_says_so(
    tmp_path: Path, name: str, spoil: Any, said: str | None
) -> None:
    folder = synthetic_sweep(tmp_path, "init=noise,content")
    spoil(folder / "1" / name)
    page = report([folder]).read_text(encoding="utf-8")
    assert page.count("<td") > 4
    if said:
        assert page.count(f'title="{said}') + page.count(f"; {said}") >= 1
    unreadable = name == "image.png" and said is not None and "pixels" not in said
    assert page.count('class="cell"') == 2 - unreadable
    assert (f'<div class="gap">{said}</div>' in page) == unreadable


@pytest.mark.slow
def test_a_sweep_without_one_readable_picture_has_a_report(tmp_path: Path) -> None:
    folder = synthetic_sweep(tmp_path, "init=noise,content", "style=ink,dabs")
    for name in ("image", "content", "style"):
        for file in folder.rglob(f"{name}.png"):
            file.write_bytes(b"")
    assert report([folder]).read_text(encoding="utf-8").count("its image.png cannot be read") >= 4


@pytest.mark.slow
def test_what_a_run_warned_of_is_told_beside_its_picture_and_in_the_tables(tmp_path: Path) -> None:
    folder = synthetic_sweep(tmp_path, "init=noise,content")
    file = folder / "1" / "record.json"
    warned = ["the picture is <almost> black", "its loss rose"]
    file.write_text(json.dumps(json.loads(file.read_text()) | {"warnings": warned}))
    page = report([folder]).read_text(encoding="utf-8")
    said = "the picture is &lt;almost&gt; black; its loss rose"
    assert f"<summary>⚠ 2</summary>{said}</details>" in page
    assert f'title="{said}; ' in page
    assert f'<td class="text">{said}; ' in page
    rows = (folder / "report" / "runs.csv").read_text(encoding="utf-8").splitlines()
    assert "warnings" in rows[0].split(",")
    assert [";".join(warned).replace(";", "; ") in row for row in rows[1:]] == [False, True]
