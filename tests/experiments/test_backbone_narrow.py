from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from experiments.backbone import narrow as narrow_backbone
from experiments.backbone.settings import NarrowConfig, check
from nst.backbones.load import load_backbone
from nst.errors import InputError
from tests.experiments.small_vgg import NARROW, narrow_all, patches, random_vgg16

QUICK = "steps=3 batch=2 side=32 images=12 image_side=48 narrowing=6 checkpoint_every=2 photos=1"
QUIET = "hydra/job_logging=none hydra/hydra_logging=none"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A random teacher of few channels in a file, and images that are drawn already."""
    narrow_all(monkeypatch)
    monkeypatch.setattr("experiments.backbone.narrowing._SAMPLES", 2000)
    write_teacher(tmp_path / "teacher.pth", seed=0)
    (tmp_path / "runs").mkdir()
    torch.save(
        (patches("swirl", 48) * 255).to(torch.uint8), tmp_path / "runs" / "pool_12_48_1_0.pt"
    )


def write_teacher(file: Path, seed: int) -> None:
    chain = random_vgg16(seed).chain.values()
    state = {
        f"features.{i}.{key}": value
        for i, module in enumerate(chain)
        for key, value in module.state_dict().items()
    }
    torch.save(state, file)


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *overrides: str) -> None:
    """The command, as it is typed in a shell."""
    where = f"hydra.run.dir={folder}/runs/try"
    command = ["narrow", *QUICK.split(), *QUIET.split(), where, *overrides]
    monkeypatch.setattr("sys.argv", command)
    narrow_backbone.main()


def test_the_command_writes_weights_that_load_and_how_they_were_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, tmp_path, f"teacher={tmp_path}/teacher.pth")
    file = tmp_path / "runs" / "try" / "vgg16_mini.safetensors"
    assert load_file(file)["0.weight"].dtype == torch.int8
    backbone = load_backbone("vgg16_mini", str(file), "avg")
    features = backbone(patches("coffee", 32), ["relu_1", "relu_13"])
    assert [features[layer].shape[1] for layer in features] == [NARROW[0], NARROW[-1]]
    assert all(torch.isfinite(values).all() for values in features.values())

    record = json.loads(file.with_suffix(".json").read_text())
    teacher = hashlib.sha256((tmp_path / "teacher.pth").read_bytes()).hexdigest()
    assert record["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert record["teacher"] == {"network": "vgg16", "sha256": teacher}
    assert record["losses_first_100"].keys() == {"features", "channels", "gram"}
    errors = record["errors_on_unseen_images"]
    assert errors["narrowed"].keys() == errors["written"].keys()
    assert len(errors["written"]) == 13
    assert record["config"]["steps"] == 3


def test_the_record_names_no_folder_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "two words"
    odd.mkdir()
    (tmp_path / "teacher.pth").rename(odd / "teacher.pth")
    run(monkeypatch, tmp_path, f"teacher='{odd}/teacher.pth'")
    text = (tmp_path / "runs" / "try" / "vgg16_mini.json").read_text()
    command = json.loads(text)["command"]
    assert command.startswith("python -m experiments.backbone.narrow teacher=teacher.pth steps=3 ")
    for folder in (str(tmp_path), "two words", str(Path.home()), str(Path.cwd())):
        assert folder not in text


def test_the_same_command_again_learns_nothing_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "runs" / "try" / "vgg16_mini.safetensors"
    run(monkeypatch, tmp_path, f"teacher={tmp_path}/teacher.pth")
    first = file.read_bytes()
    file.unlink()
    monkeypatch.setattr(narrow_backbone, "narrow", None)  # it would have to be called
    run(monkeypatch, tmp_path, f"teacher={tmp_path}/teacher.pth")
    assert file.read_bytes() == first


@pytest.mark.parametrize("change", ["teacher", "seed=1"])
def test_what_was_narrowed_otherwise_is_refused(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, tmp_path, f"teacher={tmp_path}/teacher.pth")
    if change == "teacher":
        write_teacher(tmp_path / "teacher.pth", seed=1)
    else:
        pool = tmp_path / "runs" / "pool_12_48_1_0.pt"
        pool.rename(pool.with_name("pool_12_48_1_1.pt"))
    overrides = [] if change == "teacher" else [change]
    with pytest.raises(SystemExit, match=r"narrowed\.pt comes from other settings"):
        run(monkeypatch, tmp_path, f"teacher={tmp_path}/teacher.pth", *overrides)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ([], "^error: teacher is not set; give VGG-16's weights, teacher=PATH"),
        (["teacher=nowhere.pth"], r"^error: teacher=nowhere\.pth: .*no such file"),
        (["teacher=imagenet", "side=40"], "^error: side=40 must be a multiple of 16"),
    ],
)
def test_a_broken_setting_is_one_line(
    overrides: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match=says) as caught:
        run(monkeypatch, tmp_path, *overrides)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"teacher": ""}, "teacher is not set"),
        ({"narrowing": 0}, "narrowing=0 must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate=0 must be above 0"),
        ({"photos": -0.5}, "from 0 to 1"),
        ({"pooling": "mean"}, "pooling=mean must be one of"),
        ({"image_side": 16}, "image_side=16 must be at least side=96"),
    ],
)
def test_values_that_make_no_sense(values: dict[str, Any], says: str) -> None:
    check(NarrowConfig(teacher="imagenet"))
    with pytest.raises(InputError, match=says):
        check(NarrowConfig(**{"teacher": "imagenet", **values}))
