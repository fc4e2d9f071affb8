from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from nst.command.plan import expand_sweep
from nst.errors import InputError
from nst.reports.sweep_plan import SweepPlan
from nst.reports.sweeps import Sweep, load_sweep, resume_command, run_command
from nst.reports.wording.labels import short
from nst.runs.recording.folder import RunFolder


def fake_run(folder: Path, overrides: list[str], **values: Any) -> None:
    RunFolder(folder).save_record({"overrides": overrides, "psnr": 20.0, "seed": 0, **values})


def plan(folder: Path, jobs: list[list[str]], **values: Any) -> None:
    SweepPlan(**{"study_size": "full", "overrides": ["a=1,2"], "jobs": jobs} | values).write(folder)


def sweep_of(folder: Path, jobs: list[list[str]]) -> Sweep:
    for number, job in enumerate(jobs):
        fake_run(folder / f"{number}_x", job)
    plan(folder, jobs)
    return load_sweep([folder])


def test_axes_are_the_overrides_that_differ_in_the_order_of_the_jobs(tmp_path: Path) -> None:
    jobs = [
        [f"content_layer=conv_{k}", f"seed={s}", "size=64", "device=cpu", "logger.mode=offline"]
        for k in (1, 4, 8, 9, 10, 11)
        for s in (0, 1)
    ]
    sweep = sweep_of(tmp_path, jobs)
    assert [axis.key for axis in sweep.axes] == ["content_layer", "seed"]
    layers = sweep.axes[0]
    assert layers.values == ("conv_1", "conv_4", "conv_8", "conv_9", "conv_10", "conv_11")
    assert (layers.label, sweep.axes[1].name("0")) == ("content layer", "seed 0")
    assert sweep.runs["content_layer"].tolist()[:3] == ["conv_1", "conv_1", "conv_4"]
    assert sweep.label(3) == "conv_4 · seed 1"
    assert not sweep.missing


def test_what_decides_no_picture_is_no_axis(tmp_path: Path) -> None:
    unnamed = ("logger.mode", "study.size", "snapshot_every", "device", "report", "hydra.job.name")
    jobs = [[f"seed={s}", *(f"{key}={s}" for key in unnamed)] for s in (0, 1)]
    assert [axis.key for axis in sweep_of(tmp_path, jobs).axes] == ["seed"]


def test_options_of_a_loss_are_axes_under_their_own_name(tmp_path: Path) -> None:
    jobs = [[f"++loss.style.activation_shift={shift}"] for shift in (0, 1)]
    (axis,) = sweep_of(tmp_path, jobs).axes
    assert (axis.key, axis.label) == ("loss.style.activation_shift", "style.activation shift")


def test_a_record_of_something_else_is_no_run(tmp_path: Path) -> None:
    fake_run(tmp_path / "0", ["seed=0"])
    (tmp_path / "record.json").write_text('{"title": "Blue Monday"}')
    assert len(load_sweep([tmp_path]).runs) == 1
    (tmp_path / "0" / "record.json").unlink()
    with pytest.raises(InputError, match="no complete run"):
        load_sweep([tmp_path])


def test_what_a_sweep_has_throughout_is_the_sweep_itself(tmp_path: Path) -> None:
    fake_run(tmp_path / "a" / "0", ["seed=0"])
    fake_run(tmp_path / "b" / "0", ["seed=0", "backbone=squeezenet1_0"])
    sweep = load_sweep([tmp_path / "a", tmp_path / "b"])
    assert [(axis.key, axis.values) for axis in sweep.axes] == [("sweep", ("a", "b"))]
    assert sweep.differences == {"a": {"backbone": "default"}, "b": {"backbone": "squeezenet1_0"}}


def test_a_value_left_out_is_what_the_record_says(tmp_path: Path) -> None:
    configs: list[dict[str, Any]] = [
        {"size": 64, "loss": {"style_weight": 300.0}, "backbone": {"name": "vgg19_mini"}},
        {"size": 32, "loss": {"style_weight": 5.0}, "backbone": {"name": "vgg16"}},
    ]
    jobs = [[], ["size=32", "loss.style_weight=5", "backbone=vgg16"]]
    for number, (job, config) in enumerate(zip(jobs, configs, strict=True)):
        fake_run(tmp_path / str(number), job, config=config)
    assert {axis.key: axis.values for axis in load_sweep([tmp_path]).axes} == {
        "size": ("64", "32"),
        "loss.style_weight": ("300", "5"),
        "backbone": ("vgg19_mini", "vgg16"),
    }


def test_a_recorded_value_counts_as_the_same_value_given(tmp_path: Path) -> None:
    config = {"loss": {"style_weight": 300.0}}
    for number, job in enumerate((["seed=0"], ["seed=1", "loss.style_weight=300"])):
        fake_run(tmp_path / str(number), job, config=config)
    assert [axis.key for axis in load_sweep([tmp_path]).axes] == ["seed"]


def test_equal_runs_of_two_sweeps_are_told_apart_by_the_sweep(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for seed in (0, 1):
            fake_run(tmp_path / name / str(seed), [f"seed={seed}"])
    sweep = load_sweep([tmp_path / "b", tmp_path / "a"])
    assert [(axis.key, axis.values) for axis in sweep.axes] == [
        ("sweep", ("b", "a")),
        ("seed", ("0", "1")),
    ]


def test_sweeps_of_one_name_are_told_apart_by_the_folder_above(tmp_path: Path) -> None:
    for day in ("monday", "tuesday"):
        fake_run(tmp_path / day / "sweep" / "0", ["seed=0"])
    sweep = load_sweep([tmp_path / "monday" / "sweep", tmp_path / "tuesday" / "sweep"])
    assert sweep.axes[0].values == ("monday/sweep", "tuesday/sweep")


def test_missing_runs_and_why(tmp_path: Path) -> None:
    jobs = [[f"seed={seed}"] for seed in range(4)]
    fake_run(tmp_path / "0", jobs[0])
    plan(tmp_path, jobs)
    for seed, log in ((1, "[x][run][ERROR] - size is too small\n"), (2, "")):
        hydra = tmp_path / str(seed) / ".hydra"
        hydra.mkdir(parents=True)
        (hydra / "overrides.yaml").write_text(yaml.safe_dump(jobs[seed]))
        (hydra.parent / "nst.log").write_text(log)
    reasons = {missing.overrides: missing.reason for missing in load_sweep([tmp_path]).missing}
    assert reasons == {
        ("seed=1",): "size is too small",
        ("seed=2",): "killed or still running",
        ("seed=3",): "not started",
    }


def begin(folder: Path, overrides: list[str], log: str = "") -> None:
    """What Hydra leaves of a job that was started."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))
    (folder / "nst.log").write_text(log)


def test_runs_that_ended_early_are_missing_with_what_their_records_say(tmp_path: Path) -> None:
    jobs = [[f"seed={seed}"] for seed in range(5)]
    plan(tmp_path, jobs)
    fake_run(tmp_path / "0", jobs[0])
    stopped = {"status": "interrupted", "signal": "SIGTERM", "steps": 120}
    config = {"optimizer": {"steps": 300}, "task": "transfer", "passes": []}
    fake_run(tmp_path / "1", jobs[1], **stopped, config=config)
    (tmp_path / "1" / "checkpoint.pt").touch()
    fake_run(tmp_path / "2", jobs[2], status="failed", error="no <b>\nroom", error_type="OSError")
    begin(tmp_path / "3", jobs[3])
    (tmp_path / "3" / "record.json").write_text('{"overrides": ["seed')
    begin(tmp_path / "4", jobs[4])
    sweep = load_sweep([tmp_path])
    assert sweep.runs["overrides"].tolist() == [jobs[0]]
    assert [missing.reason for missing in sweep.missing] == [
        "interrupted by SIGTERM at step 120 of 300",
        "OSError: no <b> room",
        "its record.json is no record: it is no JSON from line 1, column 16 on",
        "killed or still running",
    ]
    assert [missing.goes_on for missing in sweep.missing] == [True, False, False, False]
    place = f"hydra.run.dir={tmp_path / '1'}"
    assert sweep.missing[0].command == f"python run.py seed=1 {place} resume=true"
    assert sweep.missing[1].command == "python run.py seed=2"
    assert sweep.resume == (f"python run.py -m a=1,2 hydra.sweep.dir={tmp_path} resume=true",)


def test_a_job_that_went_on_elsewhere_is_not_missing(tmp_path: Path) -> None:
    """As its plan and its record are of different command lines."""
    plan(
        tmp_path, [["seed=0", "resume=true"], ["seed=1", "resume=true"]], overrides=["resume=true"]
    )
    fake_run(tmp_path / "0", ["seed=0"])
    fake_run(tmp_path / "1" / "unfinished", ["seed=1"], status="interrupted")
    fake_run(tmp_path / "1", ["seed=1", "hydra.run.dir=x"])
    sweep = load_sweep([tmp_path])
    assert not sweep.missing
    assert not sweep.resume
    assert sweep.command == "python run.py -m "
    assert [axis.key for axis in sweep.axes] == ["seed"]


def test_a_run_that_was_copied_counts_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("0", "0 (copy)"):
        fake_run(tmp_path / name, ["seed=0"], config_hash="a")
    fake_run(tmp_path / "1", ["seed=0"], config_hash="b")
    assert [Path(each).name for each in load_sweep([tmp_path]).runs["folder"]] == ["0", "1"]
    assert f"{tmp_path / '0 (copy)'} is left out: it is the run of {tmp_path / '0'}" in caplog.text


def test_a_sweep_without_a_complete_run_says_why_on_one_line(tmp_path: Path) -> None:
    jobs = [[f"seed={seed}"] for seed in range(9)]
    plan(tmp_path, jobs)
    for seed in range(7):
        reason = "too\nlarge" if seed < 3 else f"reason {seed}"
        fake_run(tmp_path / str(seed), jobs[seed], status="failed", error=reason)
    with pytest.raises(InputError) as error:
        load_sweep([tmp_path])
    assert str(error.value) == (
        f"no complete run in {tmp_path} (3 × too large; 2 × not started; 1 × reason 3; "
        "1 × reason 4; 2 more reasons); this runs what is missing: python run.py -m a=1,2 "
        f"hydra.sweep.dir={tmp_path} resume=true"
    )


@pytest.mark.parametrize(
    "name", ["plain", "my sweep", "it's", "a,b", "x=1 (2)", "größe", "${HOME}", "back\\", "[a]{b}"]
)
def test_the_command_that_goes_on_names_the_folder_as_hydra_reads_it(name: str) -> None:
    words = shlex.split(resume_command(["seed=0,1"], Path(name)))
    (job,) = expand_sweep([word for word in words if word.startswith("hydra.sweep.dir=")])
    (override,) = OverridesParser.create().parse_overrides(job)
    folder = OmegaConf.create({"folder": override.value()}).folder
    assert folder == name
    assert words[-1] == "resume=true"


@pytest.mark.parametrize("wrong", [None, "seed=0", [1], [["seed=0"], None], {}])
def test_a_plan_of_something_else_is_none(tmp_path: Path, wrong: object) -> None:
    fake_run(tmp_path / "0", ["seed=0"])
    values: dict[str, Any] = dict.fromkeys(("study", "study_size"))
    values |= {"overrides": [], "jobs": [], "report": True}
    (tmp_path / "sweep.json").write_text(json.dumps(values | {"jobs": wrong}))
    sweep = load_sweep([tmp_path])
    assert (len(sweep.runs), sweep.missing) == (1, ())


def test_no_override_takes_the_place_of_what_was_recorded(tmp_path: Path) -> None:
    for number, place in enumerate(("/etc", "/var")):
        fake_run(tmp_path / str(number), [f"folder={place}", f"psnr={number}"])
    sweep = load_sweep([tmp_path])
    assert sweep.axes == ()
    assert [sweep.folder(index) for index in (0, 1)] == [tmp_path / "0", tmp_path / "1"]


def test_the_study_is_known_from_the_plan(tmp_path: Path) -> None:
    fake_run(tmp_path / "0", ["study=weights"])
    plan(tmp_path, [["study=weights"]], study="weights", study_size="quick")
    sweep = load_sweep([tmp_path])
    assert (sweep.study, sweep.size) == ("weights", "quick")
    assert sweep.command == "python run.py -m a=1,2"


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_nothing_to_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"no such folder|no complete run"):
        load_sweep([tmp_path / name])


def test_commands_can_be_pasted() -> None:
    assert run_command(["seed=1"]) == "python run.py seed=1"
    assert run_command(["seed=1", "resume=true"]) == "python run.py seed=1"
    listed = run_command(["study=weights", "style_layers=[a,b]"])
    assert listed == 'python run.py study=weights "style_layers=[a,b]" hydra.mode=RUN'
    assert run_command(["style=a$b.jpg"]) == "python run.py 'style=a$b.jpg'"


def test_short_labels() -> None:
    assert short("pictures/tubingen.jpg") == "tubingen"
    assert short("0.5") == "0.5"
