"""Every study beside every other swept key: the report is composed, and shows every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from nst.reports.findings.studies import find_study, study_names
from nst.reports.sweeps import load_sweep
from nst.reports.write import compose
from tests.reports.synthetic import stub_measuring, synthetic_sweep

SWEPT = (
    "content=astronaut,coffee",
    "style=ink,dabs",
    "size=24,32",
    "seed=0,1",
    "backbone=vgg19_mini,vgg16_mini",
    "init=noise,content",
    "loss.style_weight=1,10",
    "content_layer=conv_1,conv_4",
    "style_layers=conv_1-2,conv_1-5",
    "optimizer.steps=10,20",
    "preset=gatys2015,cmu_study",
    "loss=relative,wasserstein2",
)
QUICK = SWEPT[:5]
"""Without the mark "slow"; every key has its turn with every figure."""


@pytest.mark.slow
@pytest.mark.parametrize("swept", QUICK)
@pytest.mark.parametrize("name", study_names())
def test_any_key_beside_a_studys_own(
    name: str, swept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_measuring(monkeypatch)
    monkeypatch.setattr("nst.reports.write.general_figures", lambda *_: {})
    check(name, swept, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("swept", SWEPT)
@pytest.mark.parametrize("name", study_names())
def test_any_key_beside_a_studys_own_with_every_figure(
    name: str, swept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_measuring(monkeypatch)
    check(name, swept, tmp_path)


def check(name: str, swept: str, folder: Path) -> None:
    """The report of a study that is swept over one more key is whole."""
    sweep = load_sweep([synthetic_sweep(folder, swept, study=name)])
    composed = compose(sweep, find_study(name), panels=100)
    page = composed.page(folder, lambda _: b"")
    assert page.count('class="cell"') == len(sweep.runs)
    assert composed.finding is not None
    assert page.count('class="said"') == len(composed.finding.claims) > 0
    assert f"Figure {len(composed.shown)}.</strong>" in page
    assert r"\bottomrule" in composed.latex()


def test_runs_that_cannot_be_trusted_are_named_and_say_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_measuring(monkeypatch, problem="its picture is flat")
    sweep = load_sweep([synthetic_sweep(tmp_path, study="layer_ablation")])
    composed = compose(sweep, find_study("layer_ablation"))
    page = composed.page(tmp_path, lambda _: b"")
    assert composed.finding is not None
    assert composed.finding.verdict == "cannot say"
    assert '<span class="badge cannot">? cannot say</span>' in page
    assert page.count("⚠ too short") == len(sweep.runs)
    assert page.count('<td class="text">its picture is flat</td>') == len(sweep.runs)
