from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import nst
from nst.command.line.arguments import prepared
from nst.command.line.repeat import repeated
from nst.config import config_hash, picture_settings, to_dict
from nst.errors import InputError, Interruption
from nst.runs.recording.output import FORMATS, write_picture

OVERRIDES = ["style=swirl", "size=64", "loss.style_weight=30", "output=old.png", "logger=none"]
KEPT = ["style=swirl", "size=64", "loss.style_weight=30", "logger=none"]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def remembered(*overrides: str, **values: Any) -> dict[str, Any]:
    """What a picture says of a run with these overrides."""
    cfg = nst.compose(*overrides)
    known = {"config": picture_settings(cfg), "config_hash": config_hash(cfg), "version": "0.0.1"}
    return {"program": "nst", "overrides": list(overrides), "where": ".", **known, **values}


def picture(name: str, values: dict[str, Any]) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (8, 8))
    write_picture(image, Path(name), FORMATS[Path(name).suffix], values)


def run_folder(name: str, *overrides: str) -> Path:
    """A run's folder, as far as it says what made it."""
    record = {"overrides": list(overrides), "config": to_dict(nst.compose(*overrides))}
    folder = Path(name)
    (folder / "snapshots").mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(record))
    for file in ("image.png", "snapshots/step_000001.png"):
        Image.new("RGB", (8, 8)).save(folder / file)
    return folder


def test_a_command_line_without_it_stays() -> None:
    assert repeated(["-m", "seed=0,1"]) == ["-m", "seed=0,1"]


@pytest.mark.parametrize("name", ["a.png", "prints/a b.jpg", "a.webp"])
def test_a_picture_is_run_again(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    picture(name, remembered(*OVERRIDES))
    assert repeated([f"repeat={name}"]) == KEPT
    assert capsys.readouterr().err == f"repeat={name}: {' '.join(KEPT)}\n"


@pytest.mark.parametrize(
    "name", ["", "/", "/image.png", "/record.json", "/snapshots/step_000001.png"]
)
def test_a_run_is_run_again_by_its_folder_or_a_file_in_it(name: str) -> None:
    run_folder("outputs/transfer/run", *OVERRIDES)
    Path("outputs/latest").symlink_to("transfer/run")
    for folder in ("outputs/transfer/run", "outputs/latest"):
        assert repeated([f"repeat={folder}{name}"]) == KEPT


def test_a_run_that_was_killed_is_run_again_by_what_hydra_wrote() -> None:
    Path("run/.hydra").mkdir(parents=True)
    Path("run/.hydra/overrides.yaml").write_text("- style=swirl\n- resume=true\n")
    assert repeated(["repeat=run"]) == ["style=swirl"]


def test_what_is_given_now_wins() -> None:
    picture("a.png", remembered(*OVERRIDES, "++loss.style.activation_shift=0.3"))
    now = ["size=128", "repeat=a.png", "loss.style=wasserstein2", "output=new.png"]
    assert repeated(now) == [
        *("style=swirl", "loss.style_weight=30", "logger=none"),
        *("size=128", "loss.style=wasserstein2", "output=new.png"),
    ]
    assert nst.compose(*prepared(repeated(["repeat=a.png", "size=128"]))).size == 128


def test_a_sweep_can_begin_from_a_picture() -> None:
    picture("a.png", remembered(*OVERRIDES))
    assert repeated(["-m", "repeat=a.png", "style=ink,dabs"])[-2:] == ["-m", "style=ink,dabs"]


def test_a_job_of_a_study_is_one_run() -> None:
    picture("a.png", remembered("study=gallery", "size=64"))
    assert repeated(["repeat=a.png"]) == ["study=gallery", "size=64", "hydra.mode=RUN"]


def test_what_was_called_otherwise_then_has_the_name_of_today(
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = remembered("init=noise", "init.amplitude=0.1")
    values["overrides"][1] = "init.scale=0.1"
    values["config"]["init"]["scale"] = values["config"]["init"].pop("amplitude")
    picture("a.png", values)
    assert repeated(["repeat=a.png"]) == ["init=noise", "init.amplitude=0.1"]
    assert "changed since" not in capsys.readouterr().err


@pytest.mark.parametrize("sweep", [True, False])
def test_the_command_to_go_on_holds_when_latest_leads_elsewhere(
    sweep: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nst.command import main
    from nst.command.plan import PlanSweep

    run_folder("outputs/old", *OVERRIDES)
    Path("outputs/latest").symlink_to("old")
    Path("outputs/new").mkdir()

    def interrupted() -> None:
        Path("outputs/latest").unlink()
        Path("outputs/latest").symlink_to("new")
        monkeypatch.setattr(PlanSweep, "folder", Path("outputs/new") if sweep else None)
        monkeypatch.setattr(main._Run, "folder", Path("outputs/new"))
        raise Interruption

    given = ["-m", "repeat=outputs/latest", "seed=0,1"] if sweep else ["repeat=outputs/latest"]
    monkeypatch.setattr(main, "_job", interrupted)
    monkeypatch.setattr("sys.argv", ["nst", *given])
    monkeypatch.setattr("logging.raiseExceptions", True)  # main() changes these
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(SystemExit):
        main.main()
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "to go on" in line)
    command = shlex.split(line.removeprefix("to go on: nst"))
    place = "hydra.sweep.dir" if sweep else "hydra.run.dir"
    assert command == [
        *([*KEPT, "-m", "seed=0,1"] if sweep else KEPT),
        *(f"{place}=outputs/new", "resume=true"),
    ]
    assert set(command) == set(prepared(command))


# --- the pictures that went in --------------------------------------------------------------------


def photo(name: str, color: str = "red") -> str:
    """A picture's file; its sha256."""
    import hashlib

    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), color).save(name)
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def test_pictures_are_found_from_where_the_run_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the picture of the output, or where its metadata say that the run was."""
    digest = photo("project/my photo.png")
    images = {"content": {"source": "my photo.png", "sha256": digest}}
    monkeypatch.chdir("project")
    values = remembered("content='my photo.png'", "size=64", images=images, where="../project")
    monkeypatch.chdir("..")
    picture("prints/a.jpg", values)
    assert repeated(["repeat=prints/a.jpg"]) == ["size=64", "content='project/my photo.png'"]


@pytest.mark.parametrize("name", ["q${y}", r"q\\${y:z}", "it's ${y}"])
def test_a_folder_of_any_name_is_found_from_elsewhere(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = photo(f"{name}/b.png")
    picture(
        f"{name}/o.png",
        remembered("size=64") | {"overrides": ["content=b.png", "size=64"]}
        | {"images": {"content": {"source": "b.png", "sha256": digest}}},
    )  # fmt: skip
    command = prepared(repeated([f"repeat={name}/o.png"]))
    assert nst.compose(*command).content == f"{name}/b.png"
    killed = Path(name) / "run" / ".hydra" / "overrides.yaml"
    killed.parent.mkdir(parents=True)
    killed.write_text(json.dumps(command))
    assert repeated([f"repeat={name}/run"]) == command


def test_a_picture_that_is_nowhere_is_named() -> None:
    photo("me.png")
    values = remembered("content=me.png", images={"content": {"source": "me.png", "sha256": "0"}})
    picture("a.png", values)
    Path("me.png").unlink()
    with pytest.raises(InputError, match=r"repeat=a.png: its content=me.png is not there; name it"):
        repeated(["repeat=a.png"])
    assert repeated(["repeat=a.png", "content=coffee"]) == ["content=coffee"]


def test_another_picture_of_the_same_name_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    images = {"content": {"source": "me.png", "sha256": photo("me.png")}}
    picture("a.png", remembered("content=me.png", images=images))
    photo("me.png", "blue")
    assert repeated(["repeat=a.png"]) == ["content=me.png"]
    assert "content=me.png holds another picture than it did then" in capsys.readouterr().err


def test_defaults_that_changed_are_said_with_both_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = remembered("size=64", "optimizer.steps=20")
    values["config"]["loss"]["style_weight"] = 7
    values["config"]["optimizer"]["steps"] = 10
    del values["config"]["precision"]
    picture("a.png", values)
    repeated(["repeat=a.png"])
    (_, line) = capsys.readouterr().err.splitlines()
    assert line == (
        "repeat=a.png: the defaults changed since (it was made by nst 0.0.1), so the picture may "
        "be another: loss.style_weight (7 → 13.14), optimizer.steps (10 → 20), "
        "precision (null → auto)"
    )


def test_the_size_of_another_picture_is_no_default_that_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Image.new("RGB", (64, 32)).save("b.png")
    digest = photo("a.png")
    images = {"content": {"source": "a.png", "sha256": digest}}
    overrides = ["size=original", "style_size=original", "style=a.png", "content=a.png"]
    picture("o.jpg", remembered(*overrides, images=images))
    repeated(["repeat=o.jpg", "content=coffee", "style=ink"])
    assert "changed since" not in capsys.readouterr().err


# --- what cannot be repeated ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "no such file; name a picture, or a run's folder as outputs/latest"),
        ("nowhere.png", "no such file"),
        ("plain.png", "the file does not say what made it; name a picture that output=FILE wrote"),
        ("empty", "a folder that holds no run; name a picture that output=FILE wrote"),
        ("sweep", "the folder of a sweep; name one of its jobs' folders"),
        ("damaged.png", "what it says of its origin is damaged"),
        ("old.png", "its overrides do not work any more: content_layer: vgg16_mini has no layer"),
    ],
)
def test_what_says_nothing_is_told_what_it_lacks(name: str, message: str) -> None:
    Image.new("RGB", (8, 8)).save("plain.png")
    Path("empty").mkdir()
    Path("sweep").mkdir()
    Path("sweep/sweep.json").write_text("{}")
    picture("damaged.png", remembered(overrides=3))
    picture("old.png", remembered() | {"overrides": ["content_layer=conv_99"]})
    with pytest.raises(InputError) as error:
        repeated([f"repeat={name}"])
    assert str(error.value).startswith(f"repeat={name}: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    "override",
    [
        *("hydra.run.dir=/", "hydra/launcher=joblib", "+hydra.callbacks.x._target_=os.system"),
        *("-cd", "--config-dir=/", "content=${oc.env:SECRET}", "hydra.mode=MULTIRUN", "nothing=1"),
        "logger.project='x${oc.${logger.group}:USER_X}'",
        r"logger.project='a\\${oc.env:HOME}'",
        r"logger.project=a\\\${oc.env:HOME}",
        r"logger.project=a$\{oc.env\:HOME\}",
        "style_layers=[conv_1,'${oc.env:HOME}']",
        "content=a.png,'${oc.env:HOME}'",
        "logger.project='${oc.env:HOME}",
        r"content=(,$\{oc.env\:HOME\}",
        "study.sweep.full={'hydra.run.dir': /}",
        "study={sweep: {full: {seed: 1}}}",
    ],
)
def test_a_strangers_picture_starts_and_reads_nothing_of_its_own(override: str) -> None:
    picture("a.png", remembered() | {"overrides": [override]})
    with pytest.raises(InputError, match="is no override of a run's config"):
        repeated(["repeat=a.png"])


@pytest.mark.parametrize(
    "override",
    [
        r"logger.group='a\${oc.env:HOME}'",
        *("logger.group='12:30'", "loss.tv_weight=${loss.style_weight}", "study.size=full"),
        "loss.pixels={pixel_statistics: {weight: ${loss.style_weight}}}",
    ],
)
def test_what_asks_no_resolver_is_run_again(override: str) -> None:
    picture("a.png", remembered() | {"overrides": [override]})
    assert repeated(["repeat=a.png"]) == [override]


def test_one_run_at_a_time() -> None:
    with pytest.raises(InputError, match=r"expected one file, and repeat=a.png is another"):
        repeated(["repeat=a.png", "repeat=b.png"])
