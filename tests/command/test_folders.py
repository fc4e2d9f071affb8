from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict

import nst
from nst.command import folders
from nst.command.configs import CONF, register
from nst.command.ending import again
from nst.command.folders import job_name, point_latest, sweep_name, varying, word


@pytest.fixture(autouse=True)
def nothing_claimed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(folders, "_claimed", {})
    monkeypatch.chdir(tmp_path)


def test_one_program_has_one_folder_and_another_has_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [folders.own_folder("out/12-00") for _ in range(2)] == ["out/12-00"] * 2
    monkeypatch.setattr(folders, "_claimed", {})  # as in another program
    assert folders.own_folder("out/12-00") == "out/12-00_2"
    assert sorted(path.name for path in Path("out").iterdir()) == ["12-00", "12-00_2"]


@pytest.mark.parametrize("obstacle", ["file", "dangling link"])
def test_a_place_that_cannot_hold_a_folder_is_left_to_whoever_writes_there(obstacle: str) -> None:
    if obstacle == "file":
        Path("out").write_text("no folder")
    else:
        Path("out").symlink_to("nowhere")
    assert folders.own_folder("out/12-00") == "out/12-00"


def test_a_command_that_goes_on_reaches_hydra_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["nst"])
    command = again(["-m", "seed=0,1", "resume=true", "hydra.sweep.dir=x"], Path("a,b"), True)
    assert command == """nst -m seed=0,1 'hydra.sweep.dir='"'"'a,b'"'"'' resume=true"""


# --- names ----------------------------------------------------------------------------------------


def run_folder_of(*overrides: str) -> str:
    """The folder of a single run, as Hydra will make it."""
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        return str(HydraConfig.get().run.dir)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["content=me.jpg", "style=swirl", "size=64"], "me_swirl"),
        (["content='pictures/my cat (1).jpg'", "style=ink"], "my-cat-1_ink"),
        (["content='größe=1,é.png'"], "grosse-1-e_mosaic"),
        (["content='🎨.png'"], "mosaic"),
        ([f"content={'x' * 300}.jpg"], f"{'x' * 24}_mosaic"),
        (["content=../../etc/passwd", "style=..\\\\..\\\\a.png"], "passwd_a"),
        (["task=texture", "style=waves"], "waves"),
        (["task=content", "content=coffee"], "coffee"),
        (["preset=pytorch_tutorial", "logger=none"], "astronaut_mosaic_pytorch_tutorial"),
        (["content=${nothing}"], "mosaic"),
    ],
)
def test_a_run_is_named_by_its_time_and_its_pictures(overrides: list[str], name: str) -> None:
    folder = Path(run_folder_of(*overrides))
    assert re.fullmatch(rf"\d\d-\d\d_{re.escape(name)}", folder.name)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", folder.parent.name)
    assert folder.parent.parent.parent == Path("outputs")
    assert folder.is_dir()


def sweep(*overrides: str, number: int | None = None, **values: Any) -> Any:
    """What the names of a sweep and its jobs are made of."""
    job = {"num": number} if number is not None else {}
    hydra = {"overrides": {"task": list(overrides)}, "sweeper": {"params": None}, "job": job}
    return OmegaConf.create({"hydra": {**hydra, "sweep": {"dir": "out"}}, **values})


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["content_layer=conv_1,conv_4", "size=64"], "14-17_content_layer"),
        (["++loss.style_weight=15,50", "init=noise,content"], "14-17_style_weight_init"),
        (["seed=range(0,3)", "style=glob(*)", "size=choice(64)"], "14-17_seed_style"),
        (["seed=0"], "14-17"),
    ],
)
def test_a_sweep_is_named_by_its_time_and_what_varies(overrides: list[str], name: str) -> None:
    assert sweep_name("14-17", _root_=sweep(*overrides)) == name


@pytest.mark.parametrize(
    ("job", "keys", "name"),
    [
        (["size=64", "content_layer=conv_1"], ["content_layer"], "3_conv_1"),
        (["style=swirl", "++loss.style_weight=0.5"], ["style", "loss.style_weight"], "3_swirl_0.5"),
        (["content='a/my cat.jpg'"], ["content"], "3_my-cat"),
        (["style_layers=[conv_1,conv_2]"], ["style_layers"], "3_conv_1-conv_2"),
        (["content='🎨.png'"], ["content"], "3"),
        (["seed=0"], [], "3"),
        (["init.mean=-1"], ["init.mean"], "3_-1"),
    ],
)
def test_a_job_is_named_by_its_number_and_its_values(
    job: list[str], keys: list[str], name: str
) -> None:
    assert job_name(keys, _root_=sweep(*job, number=3)) == name


def test_a_sweep_that_goes_on_finds_its_jobs_by_their_numbers() -> None:
    """Also where they were named by another rule."""
    for name in ("1_seed=1", "10_seed=10", "11_seed=11"):
        Path("out", name, ".hydra").mkdir(parents=True)
    Path("out/2_somebodys").mkdir()
    config = sweep("seed=1", number=1, resume=True)
    assert job_name(["seed"], _root_=config) == "1_seed=1"
    assert job_name(["seed"], _root_=sweep("seed=1", number=1, resume=False)) == "1_1"
    assert job_name(["seed"], _root_=sweep("seed=2", number=2, resume=True)) == "2_2"


def test_jobs_know_what_varies_from_the_sweep() -> None:
    """Hydra composes each job anew, from its own overrides alone, and hands on the cache."""
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        whole = compose("config", ["size=64"], return_hydra_config=True)
        job = compose("config", ["size=64", "seed=5"], return_hydra_config=True)
    with open_dict(whole):
        whole.hydra.overrides.task = ["size=64", "seed=4,5"]
    str(whole.hydra.sweep.subdir)  # as before the first job
    with open_dict(job):
        job.hydra.job.num = 1
        job.hydra.overrides.task = ["size=64", "seed=5"]
    OmegaConf.copy_cache(from_config=whole, to_config=job)
    assert job.hydra.sweep.subdir == "1_5"


def test_what_a_study_sweeps_varies_too() -> None:
    params = {"seed": "0,1,2", "init": "noise,content", "size": 192}
    assert varying(["study=init_timing", "style=ink,dabs"], params) == ["seed", "init", "style"]


@pytest.mark.parametrize(
    "text",
    [
        *("../../x", "..", ".", "/etc/passwd", "a\0b", "\\\\server\\share", "~", "x" * 5000),
        *("ü" * 5000, "🎨" * 200, "a. . ", "a\nb", "\udcff", "$(x)", "%00", "   ", "-rf", "a=b,c"),
    ],
)
def test_a_word_is_plain_and_short(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.+-]{0,24}", word(text))
    assert ".." not in word(text)


# --- outputs/latest -------------------------------------------------------------------------------


def folder(name: str) -> Path:
    path = Path("outputs", name)
    path.mkdir(parents=True)
    return path


def below_outputs() -> list[str]:
    return sorted(each.name for each in Path("outputs").iterdir())


def test_the_link_leads_to_the_newest() -> None:
    for name in ("transfer/a", "sweeps/b"):
        point_latest(folder(name))
        assert Path("outputs/latest").readlink() == Path(name)
    assert below_outputs() == ["latest", "sweeps", "transfer"]


def test_a_run_in_the_folder_that_the_link_leads_to_leaves_it() -> None:
    point_latest(folder("transfer/a"))
    point_latest(Path("outputs/latest"))
    assert Path("outputs/latest").readlink() == Path("transfer/a")


def test_folders_elsewhere_are_not_followed(tmp_path: Path) -> None:
    folder("transfer/a")
    for elsewhere in (tmp_path / "here", Path("outputs"), tmp_path.parent):
        point_latest(elsewhere)
    assert below_outputs() == ["transfer"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_somebody_has_put_there_stays(kind: str) -> None:
    own = Path("outputs/latest")
    own.parent.mkdir()
    own.write_text("mine") if kind == "file" else own.mkdir()
    point_latest(folder("transfer/a"))
    assert not own.is_symlink()
    assert below_outputs() == ["latest", "transfer"]


def test_where_there_are_no_links_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("a privilege that is not held")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    point_latest(folder("transfer/a"))
    assert below_outputs() == ["transfer"]


def test_no_run_is_read_twice_through_the_link() -> None:
    (folder("transfer/a") / "record.json").write_text('{"status": "completed"}')
    point_latest(Path("outputs/transfer/a"))
    assert nst.load_runs("outputs")["folder"].tolist() == ["outputs/transfer/a"]
    assert nst.load_runs("outputs/latest")["folder"].tolist() == ["outputs/latest"]
