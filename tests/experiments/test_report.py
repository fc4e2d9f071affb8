from __future__ import annotations

from pathlib import Path

import pytest

from experiments.report import main
from nst.reports.write import Choices
from tests.reports.sweeping import run_sweep


@pytest.mark.slow
def test_the_command_prints_where_the_page_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_sweep(tmp_path / "sweep", "seed=0")
    monkeypatch.setattr("sys.argv", ["report", str(folder)])
    main()
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    monkeypatch.setattr("sys.argv", ["report", str(folder), "--output", str(tmp_path / "out")])
    main()
    assert (tmp_path / "out" / "report.html").is_file()


def test_options_reach_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[object] = []
    monkeypatch.setattr("experiments.report.report", lambda *arguments: given.extend(arguments))
    options = ["--figure-width", "7", "--judge=vgg19", "--judge-weights=random", "--panels=30"]
    monkeypatch.setattr("sys.argv", ["report", "a", "b", *options])
    main()
    assert given == [[Path("a"), Path("b")], None, Choices(7.0, "vgg19", "random", 30)]


def test_what_cannot_be_reported_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "no such folder" in line


def test_an_interrupted_report_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("experiments.report.report", interrupted)
    monkeypatch.setattr("sys.argv", ["report", "a"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted; an earlier report is as it was\n"
