"""What runs, pictures and machines are called is text, wherever a report writes it."""

from __future__ import annotations

import copy
import csv
import re
import shlex
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

import nst
from nst.command.plan import expand_sweep
from nst.config import to_dict
from nst.reports.sweep_plan import SweepPlan
from nst.reports.sweeps import load_sweep, one_value, run_command
from nst.reports.write import compose, report
from tests.reports.synthetic import stub_measuring, write_run

NAMES = (
    "<img src=x onerror=alert(1)>.png",
    '"><script>alert(1)</script>',
    "</style></title><script>alert(1)</script>",
    "{{7*7}}{% raw %}",
    "${x}",
    r"$\alpha$",
    "%s%n",
    "../../../etc/x",
    "日本.png",
    "emoji😀.png",
    "x" * 200 + ".png",
    "\u202egnp.exe",
    "two\nlines\tand a bell\x07\x1b[31m",
    "=cmd|' /C calc'!A0",
    "[x](javascript:alert(1)) `y` *z*",
    "\\input{/etc/passwd}",
    "' onmouseover='alert(1)",
    "a & b | c",
)


def sweep_over_styles(folder: Path, names: tuple[str, ...], seeds: int = 1) -> Path:
    """Runs of styles with these names, made on machines and in folders that are called so, too."""
    config = to_dict(nst.compose())
    jobs = []
    for number, name in enumerate(names):
        for seed in range(seeds):
            own = copy.deepcopy(config) | {"style": name, "seed": seed}
            job = [f"style={one_value(name)}", f"seed={seed}"]
            place = re.sub(r"[/\0]", "|", f"of {name}")[:60] if number % 2 else str(number)
            write_run(
                folder / f"{place} {seed}", [f"seed={seed}"], own, overrides=job, commit=name,
                device_name=name, warnings=[name], finished=name, config_hash=str(number),
            )  # fmt: skip
            jobs.append(job)
    missing = [f"style={one_value(name)}" for name in names]
    SweepPlan(None, None, missing, [*jobs, [*missing, "size=9"]], report=True).write(folder)
    return folder


class Tags(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def counted(self, *but: str) -> dict[tuple[str, ...], int]:
        """How often each tag stands there with which attributes, less some tags."""
        counts: dict[tuple[str, ...], int] = {}
        for tag, attributes in self.tags:
            if tag not in but:
                key = (tag, *sorted(attributes))
                counts[key] = counts.get(key, 0) + 1
        return counts


def page_of(folder: Path) -> Tags:
    return Tags(compose(load_sweep([folder])).page(folder, lambda _: b"png"))


def test_a_page_has_the_same_tags_whatever_its_runs_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_measuring(monkeypatch)
    monkeypatch.setattr("nst.reports.write.general_figures", lambda *_: {})
    plain = tuple(f"style {chr(ord('a') + i)}" for i in range(len(NAMES)))
    odd, even = (page_of(sweep_over_styles(tmp_path / n[0][0], n)) for n in (NAMES, plain))
    assert odd.counted("wbr") == even.counted("wbr")
    for tag, attributes in odd.tags:
        addresses = [attributes.get(name) or "" for name in ("src", "href")]
        assert all(re.match(r"$|data:image/|#|report/[\w.-]+$", each) for each in addresses), tag


def test_the_address_of_a_picture_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_measuring(monkeypatch)
    monkeypatch.setattr("nst.reports.write.general_figures", lambda *_: {})
    for name in ("50%20 #1?", "a:b", "größe"):
        folder = sweep_over_styles(tmp_path / "sweep", ("ink", name))
    files = [a["data-file"] or "" for _, a in page_of(folder).tags if "data-file" in a]
    assert "of%2050%2520%20%231%3F%200/image.png" in files
    assert "of%20a%3Ab%200/image.png" in files
    assert "of%20gr%C3%B6%C3%9Fe%200/image.png" in files


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a report on disk, every figure drawn."""
    stub_measuring(monkeypatch)
    (tmp_path / "outer").mkdir()
    report([sweep_over_styles(tmp_path / "outer" / "sweep", NAMES)])
    assert [file.name for file in tmp_path.iterdir()] == ["outer"]
    assert [file.name for file in (tmp_path / "outer").iterdir()] == ["sweep"]
    return tmp_path / "outer" / "sweep" / "report"


@pytest.mark.slow
def test_what_a_report_writes_holds_names_as_text(written: Path) -> None:
    captions = (written / "captions.md").read_text(encoding="utf-8")
    assert re.findall(r"(?<!\\)[<\[]", captions) == []
    assert re.findall(r"[\x00-\x09\x0b-\x1f\u202e]", captions) == []
    latex = (written / "table.tex").read_text(encoding="utf-8")
    body = "\n".join(line for line in latex.splitlines() if not line.startswith("% "))
    assert "\\input" not in body
    assert re.findall(r"(?m)^\s*[\[*]", body) == []
    assert set(re.findall(r"\\([a-zA-Z]+)", body)) <= {
        *("begin", "end", "toprule", "midrule", "bottomrule", "pm", "cdot", "dots"),
        *("textbackslash", "textasciitilde", "textasciicircum"),
    }
    assert all(line.isprintable() for line in latex.splitlines())
    for name in ("runs.csv", "summary.csv"):
        with (written / name).open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        assert len(rows) == 1 + len(NAMES)
        cells = [cell for row in rows for cell in row if not re.fullmatch(r"[-+\d.e]*", cell)]
        assert [cell for cell in cells if cell.lstrip()[:1] in "=+-@|%"] == []
    for drawing in written.glob("*.svg"):
        tags = {each.tag.rpartition("}")[2] for each in ET.parse(drawing).iter()}
        assert not tags & {"script", "image", "foreignObject", "a"}


def test_names_of_figures_fit_a_disk_and_are_all_different(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_measuring(monkeypatch)
    names = ("\U00020000" * 60, "\U00020000" * 60 + "!", "a b", "ab", "A/B", "..")
    folder = sweep_over_styles(tmp_path, names, seeds=2)
    figures = [n for n in compose(load_sweep([folder])).drawings if n.startswith("seed_diff")]
    assert len({name.lower() for name in figures}) == len(names)
    assert all(len(name.encode()) < 100 and re.fullmatch(r"[\w.-]+", name) for name in figures)


@pytest.mark.parametrize("name", NAMES)
def test_the_command_of_a_run_gives_its_name_back(tmp_path: Path, name: str) -> None:
    words = shlex.split(run_command([f"style={one_value(name)}"]))
    assert words == ["python", "run.py", f"style={one_value(name)}"]
    assert expand_sweep(words[2:]) == [words[2:]]
