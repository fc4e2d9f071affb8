"""``python run.py`` in a process of its own, as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from nst.config import documented_keys
from nst.records import load_runs

ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = ["size=32", "optimizer.steps=2", "device=cpu"]


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """run.py from a folder that is not the checkout; outputs land below it."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "HYDRA"))}
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    return subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", str(ROOT / "run.py"), *arguments],
        cwd=cwd, env=env | nowhere | environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def the_folder(root: Path) -> Path:
    (record,) = root.rglob("record.json")
    return record.parent


def test_the_plain_command(tmp_path: Path) -> None:
    done = run(*QUICK, "snapshot_every=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no bar, no warnings: quiet when piped
    folder = the_folder(tmp_path)
    assert folder.relative_to(tmp_path).parts[:2] == ("outputs", "transfer")
    record = json.loads((folder / "record.json").read_text())
    assert record["status"] == "completed"
    assert record["backbone"]["name"] == "vgg19_mini"
    for file in ("image.png", "sheet.png", "trace.csv", "config.yaml", ".hydra/overrides.yaml"):
        assert (folder / file).is_file(), file
    assert len(list((folder / "snapshots").iterdir())) == 3
    assert list(folder.glob("wandb/offline-run-*"))
    assert len(pd.read_csv(folder / "trace.csv")) == 3
    assert "image.png" in done.stdout


def test_a_sweep_runs_as_written(tmp_path: Path) -> None:
    done = run(
        "-m", "content_layer=conv_1,conv_4,conv_8", *QUICK, "logger=none", cwd=tmp_path
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = load_runs(tmp_path / "outputs")
    assert table["config.content_layer"].tolist() == ["conv_1", "conv_4", "conv_8"]
    assert table["config_hash"].nunique() == 3


def test_a_sweep_with_a_wrong_value_starts_no_job(tmp_path: Path) -> None:
    done = run("content_layer=conv_1,conv_99", *QUICK, "-m", cwd=tmp_path)
    assert done.returncode != 0
    assert "vgg19_mini has no layer 'conv_99'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("trace.csv"))


def test_a_failed_job_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    done = run(
        "-m", f"content={tmp_path}/broken.png,coffee", *QUICK, "logger=none", cwd=tmp_path
    )  # fmt: skip
    assert done.returncode != 0
    assert "broken.png is not an image" in done.stdout + done.stderr
    assert load_runs(tmp_path / "outputs")["config.content"].tolist() == ["coffee"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("optimizer.step=3", "did you mean optimizer.steps?"),
        ("content_layer=conv4_22", "did you mean conv4_2?"),
        ("content=nowhere.jpg", "content=nowhere.jpg: no such file"),
    ],
)
def test_wrong_input_is_one_line(tmp_path: Path, argument: str, message: str) -> None:
    done = run(argument, cwd=tmp_path)
    assert done.returncode != 0
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_unknown_choice_lists_the_choices(tmp_path: Path) -> None:
    done = run("optimizer=adm", cwd=tmp_path)
    assert done.returncode != 0
    assert "Could not find 'optimizer/adm'" in done.stderr
    for choice in ("adam", "lbfgs", "sgd"):
        assert choice in done.stderr


def test_help_reads_like_documentation(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for part in ("neural_style", "gatys2015", "squeezenet1_0", "lbfgs", "smooth_noise", "balanced"):
        assert part in done.stdout, part
    assert done.stdout.count("python run.py") >= 5
    for key, meaning in documented_keys().items():
        assert key in done.stdout
        assert meaning in done.stdout
    assert "$" not in done.stdout


def test_imagenet_weights_without_a_network(tmp_path: Path) -> None:
    done = run("backbone=vgg19", *QUICK, cwd=tmp_path, TORCH_HOME=str(tmp_path / "torch"))
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: could not download vgg19-")
    assert str(tmp_path / "torch" / "hub" / "checkpoints") in last
    assert "Traceback" not in done.stderr


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        folder = f"hydra.run.dir={tmp_path / name}"
        done = run(*QUICK, "init=noise", "seed=0", "logger=none", folder, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    a, b = ((tmp_path / name / "image.png").read_bytes() for name in ("a", "b"))
    assert a == b


def test_a_picture_of_ones_own(tmp_path: Path) -> None:
    Image.radial_gradient("L").resize((80, 60)).save(tmp_path / "my picture.png")
    done = run(*QUICK, "content='my picture.png'", "logger=none", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Image.open(the_folder(tmp_path) / "image.png") as image:
        assert image.size == (32, 24)
