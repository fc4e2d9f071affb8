"""``python run.py`` in a process of its own, as a user starts it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from nst.command.help.pages import everything, first_page
from nst.command.help.topics import topic
from nst.runs.recording.read import load_runs
from tests.runs.recording.test_folder import contents

ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = ["size=32", "optimizer.steps=2", "device=cpu"]


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """run.py from a folder that is not the checkout; outputs land below it."""
    command = [sys.executable, "-W", "error::DeprecationWarning", str(ROOT / "run.py")]
    return start([*command, *arguments], cwd, environment)


def start(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """A process without a network, without what the machine's user set up for W&B and Hydra."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "HYDRA"))}
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    env.update({**nowhere, **environment})
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout
    )


def the_folder(root: Path) -> Path:
    (record,) = root.rglob("record.json")
    return record.parent


def test_the_plain_command(tmp_path: Path) -> None:
    process = run(*QUICK, "snapshot_every=1", "output=prints/me.jpg", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""  # no bar, no warnings: quiet when piped
    folder = the_folder(tmp_path)
    assert folder.relative_to(tmp_path).parts[:2] == ("outputs", "transfer")
    assert re.fullmatch(r"\d\d-\d\d_astronaut_mosaic", folder.name)
    assert (tmp_path / "outputs" / "latest").resolve() == folder.resolve()
    with Image.open(tmp_path / "prints" / "me.jpg") as picture:
        assert picture.size == (32, 32)
    record = json.loads((folder / "record.json").read_text())
    assert record["status"] == "completed"
    assert record["backbone"]["name"] == "vgg16_mini"
    for file in ("image.png", "sheet.png", "trace.csv", "config.yaml", ".hydra/overrides.yaml"):
        assert (folder / file).is_file(), file
    assert len(list((folder / "snapshots").iterdir())) == 3
    assert list(folder.glob("wandb/offline-run-*"))
    assert len(pd.read_csv(folder / "trace.csv")) == 3
    plan, *saved, kept, went = process.stdout.splitlines()
    assert plan.startswith("astronaut in the style of mosaic, 32×32, vgg16_mini on the CPU (")
    assert saved == ["prints/me.jpg", str((folder / "image.png").relative_to(tmp_path))]
    assert re.fullmatch(r"keeps \d+ % of the content and has taken on \d+ % of the style", kept)
    assert went.endswith(": more would help, as optimizer.steps=30")


@pytest.mark.slow
def test_a_sweep_runs_as_written(tmp_path: Path) -> None:
    process = run(
        "-m", "content_layer=conv_1,conv_4,conv_8", *QUICK, "logger=none", cwd=tmp_path
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    (folder,) = (tmp_path / "outputs" / "sweeps").glob("*/*_content_layer")
    jobs = sorted(each.name for each in folder.iterdir() if each.name[0].isdigit())
    assert jobs == ["0_conv_1", "1_conv_4", "2_conv_8"]
    assert (tmp_path / "outputs" / "latest").resolve() == folder.resolve()
    table = load_runs(tmp_path / "outputs")
    assert table["config.content_layer"].tolist() == ["conv_1", "conv_4", "conv_8"]
    assert table["config_hash"].nunique() == 3
    lines = process.stdout.splitlines()
    assert lines[0].startswith("3 jobs in outputs/")
    jobs = [line for line in lines if line.startswith("job ")]
    assert [line.split(":")[1] for line in jobs] == [f" content_layer=conv_{n}" for n in (1, 4, 8)]
    assert jobs[0].startswith("job 1 of 3:")
    assert re.match(r"job 2 of 3, about \d+ s left:", jobs[1])
    assert sum("/image.png: " in line for line in lines) == 3


def test_a_sweep_with_a_wrong_value_starts_no_job(tmp_path: Path) -> None:
    process = run("content_layer=conv_1,conv_99", *QUICK, "-m", cwd=tmp_path)
    assert process.returncode != 0
    assert "vgg16_mini has no layer 'conv_99'" in process.stderr
    assert "Traceback" not in process.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_picture_is_run_again(tmp_path: Path) -> None:
    """From another folder, by the copy of a JPEG, with one more key."""
    Image.radial_gradient("L").resize((40, 30)).save(tmp_path / "my photo.png")
    made = ["content=my photo.png", *QUICK, "logger=none", "output=prints/me.jpg"]
    assert run(*made, cwd=tmp_path).returncode == 0
    shutil.move(tmp_path / "prints", tmp_path / "elsewhere")
    process = run("repeat=me.jpg", "size=48", cwd=tmp_path / "elsewhere")
    assert process.returncode == 0, process.stderr
    folder = the_folder(tmp_path / "elsewhere")
    record = json.loads((folder / "record.json").read_text())
    assert (record["width"], record["steps"]) == (48, 2)
    assert folder.name.endswith("_my-photo_mosaic")


@pytest.mark.slow
def test_outputs_that_jobs_would_share_are_refused(tmp_path: Path) -> None:
    sweep = ["-m", "init=noise", "seed=0,1", *QUICK, "logger=none", "report=false"]
    process = run(*sweep, "output=a.png", cwd=tmp_path)
    assert process.returncode == 2
    (line,) = process.stderr.strip().splitlines()
    assert line.startswith("error: a.png would be the output of more than one job of this sweep")
    assert not list(tmp_path.iterdir())
    remedy = shlex.split(line.rpartition("its own: ")[2])
    assert run(*sweep, *remedy, cwd=tmp_path).returncode == 0
    assert {file.name for file in tmp_path.glob("*.png")} == {"a_0.png", "a_1.png"}


def cut_off(file: Path) -> None:
    """A picture whose head is whole, so that only reading it shows that the rest is missing."""
    Image.effect_noise((64, 48), 50).save(file)
    file.write_bytes(file.read_bytes()[:1500])


@pytest.mark.slow
def test_a_failed_job_does_not_stop_the_others(tmp_path: Path) -> None:
    cut_off(tmp_path / "broken.png")
    process = run(
        "-m", f"content={tmp_path}/broken.png,coffee", *QUICK, "logger=none", cwd=tmp_path
    )  # fmt: skip
    assert process.returncode != 0
    assert "broken.png: " in process.stdout + process.stderr
    assert load_runs(tmp_path / "outputs")["config.content"].tolist() == ["coffee"]


NEED_TORCH = [
    ("loss.style.activaton_shift=1", "did you mean activation_shift?"),
    ("loss.style=gramm", "no style loss is called 'gramm'; did you mean gram?"),
    ("loss.pixels.pixel_statistics.weight=-1", "weight=-1: expected a finite number, 0 to 1e30"),
]
WRONG = [
    ("optimizer.step=3", "did you mean optimizer.steps?"),
    ("loss.stlye_weight=3", "did you mean loss.style_weight?"),
    ("scales=1", "did you mean coarse_scales?"),
    ("content_layer=conv4_22", "did you mean conv4_2?"),
    ("content=nowhere.jpg", "content=nowhere.jpg: no such file"),
    ("preset=null", "~preset makes none"),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in NEED_TORCH),
]


@pytest.mark.parametrize("sweep", [[], pytest.param(["-m", "seed=0,1"], marks=pytest.mark.slow)])
@pytest.mark.parametrize(("argument", "message"), WRONG)
def test_wrong_input_is_one_line(
    tmp_path: Path, argument: str, message: str, sweep: list[str]
) -> None:
    process = run(*sweep, argument, "logger=none", cwd=tmp_path)
    assert process.returncode in (1, 2)
    (line,) = process.stderr.strip().splitlines()
    assert line.startswith("error")
    assert message in line
    assert not list(tmp_path.iterdir())  # a command that is refused leaves no folder


@pytest.mark.slow
def test_a_sweep_with_a_value_of_the_wrong_type_is_one_line(tmp_path: Path) -> None:
    process = run("-m", "optimizer.steps=1,many", *QUICK[::2], cwd=tmp_path)
    assert process.returncode == 2
    (line,) = process.stderr.strip().splitlines()
    assert "error: job optimizer.steps=many" in line
    assert line.endswith(": optimizer.steps=many: expected a whole number")


def test_an_unknown_choice_lists_the_choices(tmp_path: Path) -> None:
    process = run("optimizer=adm", cwd=tmp_path)
    assert process.returncode != 0
    assert "optimizer=adm: no such choice" in process.stderr
    for choice in ("adam", "lbfgs", "sgd"):
        assert choice in process.stderr


def test_help_is_one_screen_one_thing_or_everything(tmp_path: Path) -> None:
    for arguments, page in [
        (["--help"], first_page()),
        (["--help", "all"], everything()),
        (["--help", "size"], topic("size")),
    ]:
        process = run(*arguments, cwd=tmp_path)
        assert process.returncode == 0, process.stderr
        assert process.stdout == f"{page}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_imagenet_weights_without_a_network(tmp_path: Path) -> None:
    process = run("backbone=vgg19", *QUICK, cwd=tmp_path, TORCH_HOME=str(tmp_path / "torch"))
    assert process.returncode != 0
    last = process.stderr.strip().splitlines()[-1]
    assert last.startswith("error: could not download vgg19-")
    assert str(tmp_path / "torch" / "hub" / "checkpoints") in last
    assert "Traceback" not in process.stderr


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = f"hydra.run.dir={tmp_path / name}"
        process = run(*QUICK, "init=noise", "seed=0", "logger=none", folder, cwd=tmp_path)
        assert process.returncode == 0, process.stderr
    a, b = ((tmp_path / name / "image.png").read_bytes() for name in ("a", "b"))
    assert a == b


@pytest.mark.slow
def test_a_picture_of_ones_own(tmp_path: Path) -> None:
    Image.radial_gradient("L").resize((80, 60)).save(tmp_path / "my picture.png")
    process = run(*QUICK, "content='my picture.png'", "logger=none", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    with Image.open(the_folder(tmp_path) / "image.png") as image:
        assert image.size == (32, 24)


def pictures_of_the_user(folder: Path) -> dict[str, bytes]:
    """Files with the names of a run's, which it did not write."""
    Image.radial_gradient("L").save(folder / "content.png")
    Image.linear_gradient("L").save(folder / "style.png")
    (folder / "config.yaml").write_text("mine")
    (folder / "snapshots").mkdir()
    (folder / "snapshots" / "notes.txt").write_text("mine")
    return contents(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["content=content.png"], "error: content=content.png is among the files"),
        pytest.param(
            ["backbone.weights=style.png"],
            "error: backbone.weights=style.png is among the files",
            marks=pytest.mark.slow,
        ),
        ([], " holds content.png, style.png, config.yaml and 1 more, which no run wrote"),
    ],
)
def test_files_of_the_user_stay(tmp_path: Path, arguments: list[str], message: str) -> None:
    before = pictures_of_the_user(tmp_path)
    process = run(*QUICK, *arguments, "logger=none", "hydra.run.dir=.", cwd=tmp_path)
    assert process.returncode != 0
    (line,) = process.stderr.strip().splitlines()
    assert message in line
    assert "hydra.run.dir=outputs/NAME" in line
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_a_folder_can_be_run_into_again(tmp_path: Path) -> None:
    """With nothing of the user's in its way, also the current one."""
    Image.radial_gradient("L").save(tmp_path / "me.png")
    again = [*QUICK, "content=me.png", "logger=none", "hydra.run.dir=."]
    for seed in ("0", "1"):
        process = run(*again, "init=noise", f"seed={seed}", cwd=tmp_path)
        assert process.returncode == 0, process.stderr
        assert json.loads((tmp_path / "record.json").read_text())["seed"] == int(seed)
    before = contents(tmp_path)
    (tmp_path / "bad.jpg").write_text("not an image")
    process = run(*again, "style=bad.jpg", cwd=tmp_path)
    assert "bad.jpg: text, not an image" in process.stderr
    after = contents(tmp_path)
    for name in ("image.png", "record.json", "config.yaml", "trace.csv", ".nst-run", "me.png"):
        assert after[name] == before[name], name


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "batched"])
def test_jobs_of_a_sweep_never_share_a_folder(tmp_path: Path, launcher: str) -> None:
    sweep = ["-m", *QUICK[1:], "logger=none", "init=noise", "seed=0,1", "size=32,48"]
    sweep += [f"hydra/launcher={launcher}", "hydra.sweep.dir=sweep"]
    for subdir in (".", "s${seed}"):
        process = run(*sweep, f"hydra.sweep.subdir={subdir}", cwd=tmp_path)
        assert process.returncode != 0
        (line,) = process.stderr.strip().splitlines()
        assert "would be the folder of more than one job of this sweep" in line
        assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "batched"])
def test_a_shared_folder_that_only_jobs_can_tell_is_refused_by_them(
    tmp_path: Path, launcher: str
) -> None:
    sweep = ["-m", *QUICK, "logger=none", "init=noise", "seed=0,1", "report=false"]
    sweep += [f"hydra/launcher={launcher}", "hydra.sweep.dir=sweep"]
    process = run(*sweep, "hydra.sweep.subdir=${hydra:job.name}", cwd=tmp_path)
    assert process.returncode != 0
    assert "would be the folder of more than one job" in process.stdout
    assert load_runs(tmp_path)["seed"].tolist() == [0]
