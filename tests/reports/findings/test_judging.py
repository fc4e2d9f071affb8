from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nst.reports.findings.claims import Answer, Claim, Comparison, Study, Verdict
from nst.reports.findings.judging import agreed, judge, panels_of, together
from nst.reports.findings.samples import Samples, numbers
from nst.reports.sweeps import Axis, Sweep, load_sweep

R, P, N, C = Verdict.reproduced, Verdict.partly, Verdict.not_reproduced, Verdict.cannot_say


def large(sweep: Sweep) -> Answer:
    """The mean PSNR is at least 30 dB, partly from 20."""
    psnr = Samples(numbers(sweep, "psnr"))
    return psnr.answer(psnr.at_least(30, 20), f"PSNR is {psnr} dB.", "dB")


def study_of(*needs: str, task: str | None = None, axes: tuple[str, ...] = ("init",)) -> Study:
    """One claim: PSNR is large."""
    claim = Claim("large", "PSNR is large.", "PSNR.", "30 dB.", "None.", large, needs)
    return Study("study", "Is it?", "It is.", (claim,), axes, Comparison("seed", ()), task=task)


def sweep_of(psnr: list[float], axes: dict[str, list[str]], **columns: Any) -> Sweep:
    """A run for each combination of the axes, the last of them the fastest."""
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    runs = pd.DataFrame(cells).assign(psnr=psnr, folder="", **columns)
    return Sweep((Path(),), "study", None, "", runs,
                 tuple(Axis(key, tuple(values)) for key, values in axes.items()))  # fmt: skip


SEEDS = {"seed": ["0", "1"]}


class TestPanels:
    def test_seeds_and_the_studys_own_axes_make_none(self) -> None:
        sweep = sweep_of([31] * 4, {"init": ["noise", "content"], **SEEDS})
        ((title, part),) = panels_of(study_of(), sweep)
        assert title == ""
        assert len(part.runs) == 4

    def test_each_combination_of_what_varied_besides_is_one(self) -> None:
        axes = {"backbone": ["vgg16", "vgg19"], "loss.tv_weight": ["0", "1"],
                "init": ["noise", "content"], **SEEDS}  # fmt: skip
        panels = dict(panels_of(study_of(), sweep_of([31] * 16, axes)))
        assert list(panels) == [
            "backbone vgg16 · tv weight 0", "backbone vgg16 · tv weight 1",
            "backbone vgg19 · tv weight 0", "backbone vgg19 · tv weight 1",
        ]  # fmt: skip
        for part in panels.values():
            assert len(part.runs) == 4
            assert [axis.key for axis in part.axes] == ["init", "seed"]

    def test_a_combination_without_runs_is_none_and_its_values_are_gone(self) -> None:
        axes = {"backbone": ["vgg16", "squeezenet1_0"], "init": ["noise", "content"]}
        sweep = sweep_of([31] * 4, axes)
        (left,) = [part for _, part in panels_of(study_of(), _less(sweep, 1, 2, 3))]
        assert left.axes == (Axis("init", ("noise",)),)

    def test_several_sweeps_are_panels(self) -> None:
        sweep = sweep_of([31] * 4, {"sweep": ["a", "b"], **SEEDS})
        assert [title for title, _ in panels_of(study_of(), sweep)] == ["sweep a", "sweep b"]


def _less(sweep: Sweep, *indices: int) -> Sweep:
    return Sweep(sweep.folders, None, None, "", sweep.runs.drop(index=list(indices)), sweep.axes)


def test_both_settings_of_a_study_are_panels(tmp_path: Path) -> None:
    """They decide the picture, as no other key of the group does."""
    for number, setting in enumerate(("published", "free")):
        (tmp_path / str(number)).mkdir()
        overrides = ["study=layer_ablation", f"study.setting={setting}", "seed=0"]
        record = json.dumps({"overrides": overrides})
        (tmp_path / str(number) / "record.json").write_text(record)
    titles = [title for title, _ in panels_of(study_of(), load_sweep([tmp_path]))]
    assert titles == ["study.setting published", "study.setting free"]


class TestAnswers:
    def test_one_panels_answer_is_the_claims(self) -> None:
        finding = judge(study_of(), sweep_of([30, 32], SEEDS))
        (claim,) = finding.claims
        assert claim.panels == (("", claim.together),)
        assert claim.together.text == "PSNR is 31 ± 1.4 dB."
        assert claim.together.verdict == P  # 30 is within the spread
        assert finding.verdict == P

    def test_runs_with_a_problem_that_matters_are_left_out_and_named(self) -> None:
        axes = {"init": ["noise", "content"], **SEEDS}
        broken = [None, "only 4 steps", None, None]
        sweep = sweep_of([31, 0, 31, 31], axes, too_short=broken, too_small="tiny")
        (claim,) = judge(study_of("too_short"), sweep).claims
        assert claim.together.verdict == R
        assert claim.together.text == (
            "PSNR is 31 ± 0 dB. Left out: noise · seed 1 (only 4 steps)."
        )

    def test_of_several_problems_the_first_is_named(self) -> None:
        sweep = sweep_of([31, 31], SEEDS, too_short="only 4 steps", too_small="tiny")
        text = judge(study_of("too_small", "too_short"), sweep).claims[0].together.text
        assert text == "No run can be trusted: seed 0 (tiny), seed 1 (tiny)."

    def test_many_are_counted(self) -> None:
        seeds = {"seed": [str(seed) for seed in range(9)]}
        sweep = sweep_of([31] * 9, seeds, too_short="only 4 steps")
        text = judge(study_of("too_short"), sweep).claims[0].together.text
        assert text.endswith("seed 2 (only 4 steps) and 6 more.")

    def test_too_few_that_are_left_cannot_say_and_say_which_are_not(self) -> None:
        sweep = sweep_of([31, 31], SEEDS, too_short=["only 4 steps", None])
        (claim,) = judge(study_of("too_short"), sweep).claims
        assert claim.together.verdict == C
        assert claim.together.text.startswith("1 sample, so there is no spread")
        assert claim.together.text.endswith("Left out: seed 0 (only 4 steps).")

    def test_runs_of_another_task_say_nothing(self) -> None:
        sweep = sweep_of([31, 31, 31], {"seed": ["0", "1", "2"]}, task=["content"] * 2 + [None])
        assert judge(study_of(task="content"), sweep).verdict == R  # an old record has no task
        finding = judge(study_of(task="texture"), sweep)
        assert finding.verdict == C
        assert "task=content, the study is of task=texture" in finding.claims[0].together.text

    def test_no_runs_cannot_say(self) -> None:
        assert judge(study_of(), _less(sweep_of([31, 31], SEEDS), 0, 1)).verdict == C

    def test_an_error_that_is_no_verdict_is_not_hidden(self) -> None:
        def broken(sweep: Sweep) -> Answer:
            raise ZeroDivisionError

        claim = Claim("broken", "", "", "", "", broken)
        study = Study("study", "", "", (claim,), (), Comparison("seed", ()))
        with pytest.raises(ZeroDivisionError):
            judge(study, sweep_of([31, 31], SEEDS))


@pytest.mark.parametrize(
    ("psnr", "verdict", "text"),
    [
        ((31, 31, 31, 31), R, "Of 4 panels: reproduced in 4."),
        ((10, 10, 10, 10), N, "Of 4 panels: not reproduced in 4."),
        ((31, 31, 10, 31), P, "Of 4 panels: reproduced in 3, not reproduced in 1."),
        ((31, 25, 31, 31), P, "Of 4 panels: reproduced in 3, partly in 1."),
        ((31, 31, None, None), R, "Of 4 panels: reproduced in 2, 2 cannot say."),
        ((31, None, None, None), C, "Of 4 panels: reproduced in 1, 3 cannot say."),
        ((None, None, None, None), C, "Of 4 panels none can say."),
    ],
)
def test_panels_together(psnr: tuple[float | None, ...], verdict: Verdict, text: str) -> None:
    of_runs = [value for value in psnr for _ in range(2)]
    axes = {"backbone": ["a", "b", "c", "d"], **SEEDS}
    sweep = sweep_of(of_runs, axes)  # type: ignore[arg-type]
    (claim,) = judge(study_of(), sweep).claims
    assert len(claim.panels) == 4
    assert claim.together.verdict == verdict
    assert claim.together.text == text


def test_one_panel_alone_keeps_its_number() -> None:
    only = Answer(R, "PSNR is 31.", 31.0, 1.0, 3, "dB")
    assert together([("", only)]) is only
    assert together([("a", only), ("b", only)]).value is None
    assert together([]).verdict == C


@pytest.mark.parametrize(
    ("claims", "verdict"),
    [
        ([R, R, R], R),
        ([N, N, N], N),
        ([C, C, C], C),
        ([R, R, N], P),
        ([R, P, R], P),
        ([R, R, C], P),  # one claim is open
        ([N, N, C], N),  # what can be said is that it is not so
        ([N, C], N),
        ([R, C], P),
        ([R, C, C], C),
        ([N, C, C], C),
        ([], C),
    ],
)
def test_a_study_is_what_its_claims_are(claims: list[Verdict], verdict: Verdict) -> None:
    assert agreed(claims) == verdict
