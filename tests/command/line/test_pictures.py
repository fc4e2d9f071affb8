"""Folders and patterns of pictures on the command line: a sweep over what is in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from nst.command.line import pictures
from nst.command.line.arguments import prepared
from nst.command.plan import expand_sweep
from nst.errors import InputError
from tests.command.line.test_names import NAMES


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def put(*names: str) -> None:
    """Files of these names."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"a picture")


def jobs_of(*arguments: str) -> list[list[str]]:
    """The jobs of a sweep with these arguments, less how it is launched."""
    made = [each for each in prepared(["-m", *arguments])[1:] if not each.startswith("hydra/")]
    return expand_sweep(made)


def contents(*arguments: str) -> list[str]:
    """What the jobs of a sweep have as their content, as Hydra and OmegaConf read it."""
    values = [
        OverridesParser.create().parse_override(job[0]).value() for job in jobs_of(*arguments)
    ]
    return [OmegaConf.create({"content": getattr(v, "text", v)}).content for v in values]


def test_a_folder_is_a_sweep_over_its_pictures_in_natural_order() -> None:
    put(*(f"photos/{name}" for name in ("10.png", "2.JPG", "Zoo.webp", "a.png")))
    put("photos/notes.txt", "photos/.hidden.png", "photos/deeper/c.png", "photos/folder.png/d.png")
    names = ["2.JPG", "10.png", "a.png", "Zoo.webp"]
    for folder in ("photos", "photos/", "./photos"):
        assert contents(f"content={folder}") == [f"photos/{name}" for name in names]
    assert len(jobs_of("content=photos/", "style=swirl,mosaic")) == 8


def test_a_pattern_is_a_sweep_over_what_it_matches() -> None:
    put("photos/a1.jpg", "photos/a2.png", "photos/b.jpg", "photos/deeper/c.jpg", "photos/.d.jpg")
    assert contents("content=photos/*.jpg") == ["photos/a1.jpg", "photos/b.jpg"]
    assert contents("content=photos/a?.*") == ["photos/a1.jpg", "photos/a2.png"]
    assert contents("content=photos/[b-c]*") == ["photos/b.jpg"]
    assert contents("content=photos/**/*.jpg")[-1] == "photos/deeper/c.jpg"
    assert contents(f"content={Path.cwd()}/photos/b*") == [f"{Path.cwd()}/photos/b.jpg"]


def test_several_folders_patterns_and_pictures_make_one_list_with_each_once() -> None:
    put("a/1.png", "a/2.png", "b/1.png", "x, y.png")
    several = "content=b,a/*.png,x, y.png,chelsea,a/1.png"
    expected = ["b/1.png", "a/1.png", "a/2.png", "x, y.png", "chelsea"]
    assert contents(several) == expected


@pytest.mark.parametrize("folder", ["photos", "my photos (1), [2024]", "größe=${x}", "it's"])
def test_pictures_of_any_name_are_found_in_a_folder_of_any_name(folder: str) -> None:
    names = {f"{folder}/{name}.png" for name in NAMES}
    put(*names)
    assert set(contents(f"content={folder}/")) == names
    assert set(contents(f"content={folder}/*.png")) == names


def test_a_folder_below_home(monkeypatch: pytest.MonkeyPatch) -> None:
    put("home/photos/a.png")
    monkeypatch.setenv("HOME", str(Path("home").resolve()))
    for name in ("~/photos", "~/photos/*.png"):
        assert contents(f"content={name}") == [str(Path("home/photos/a.png").resolve())]


def test_a_sample_is_itself_beside_a_folder_of_its_name() -> None:
    put("swirl/a.png")
    assert jobs_of("style=swirl") == [["style=swirl"]]
    assert jobs_of("style=swirl/") == [["style=swirl/a.png"]]


def test_the_same_key_again_and_again_is_a_sweep_as_a_shell_leaves_it() -> None:
    put("a.png", "b 1.png")
    again = ["content=a.png", "seed=0", "content=b 1.png"]
    assert contents(*again) == ["a.png", "b 1.png"]
    assert len(jobs_of(*again)) == 2


@pytest.mark.parametrize("key", ["content", "style", "init.image"])
def test_several_pictures_without_the_flag_of_a_sweep_are_counted(key: str) -> None:
    put("photos/1.png", "photos/2.png", "one/1.png")
    for arguments, message in [
        ([f"{key}=photos/"], f"{key}=photos/: a folder of 2 pictures; add -m for a run of each"),
        ([f"{key}=photos/*"], f"{key}=photos/*: a pattern that matches 2 pictures; add -m for a"),
        ([f"{key}=one"], f"{key}=one: a folder of 1 picture; name it, as {key}=one/1.png"),
        (["study=gallery", "hydra.mode=RUN", f"{key}=photos"], "2 pictures; add -m"),
    ]:
        with pytest.raises(InputError) as caught:
            prepared(arguments)
        assert message in str(caught.value)
    assert f"{key}=photos/1.png,photos/2.png" in prepared(["study=gallery", f"{key}=photos"])


def test_where_there_is_no_picture_one_line_says_what_is_there() -> None:
    put("notes/a.txt", "phone/IMG_1.HEIC", "phone/IMG_2.heic")
    Path("empty").mkdir()
    for value, message in [
        (
            "empty",
            "content=empty: a folder without a picture that can be read (JPEG, PNG, WebP, …)",
        ),
        ("phone/", "can be read (JPEG, PNG, WebP, …); it has 2 × .heic"),
        ("notes/*", "a pattern that matches no picture that can be read"),
        ("*.jpg", "content=*.jpg: no such file, and no picture that this pattern matches"),
        ("chelsea,gone [1].png", "content=gone [1].png: no such file, and no picture"),
    ]:
        with pytest.raises(InputError) as caught:
            prepared(["-m", f"content={value}"])
        assert message in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_a_name_that_is_no_text_is_named_alone() -> None:
    put("photos/a.png", "photos/b\udcff.png")
    with pytest.raises(InputError, match=r"^content=photos/b\\udcff.png: expected text in UTF-8"):
        prepared(["-m", "content=photos"])


@pytest.mark.parametrize(
    "argument",
    [
        *("content=chelsea,coffee", "content='a b.jpg',c", "content=[a,b]", "content=choice(a,b)"),
        *("content=", "content=gone.png", "seed=range(0,3)", "loss=glob(gatys*)", "size=???"),
        *("content=${style}", "content={a: b}", "content=glob(*.png)"),
    ],
)
def test_everything_else_stays_as_it_is(argument: str) -> None:
    assert pictures.expanded(["-m", argument]) == ["-m", argument]


def test_how_many_there_are_is_said_in_words() -> None:
    put("photos/1.png", "photos/2.png")
    given = ["-m", "content=photos/", "style=photos/*1.png,swirl", "size=64"]
    counted = ["2 pictures in photos/", "1 picture matches photos/*1.png"]
    assert pictures.said([*given, "hydra/launcher=basic"]) == counted
    *lines, launched = pictures.said(given)
    assert lines == counted
    assert "hydra/launcher=basic makes one after the other" in launched
    assert pictures.said(["-m", "content=chelsea,coffee"]) == []


def test_runs_over_a_folder_share_batches_unless_another_launcher_is_named() -> None:
    put("photos/1.png", "photos/2.png")
    batched, named = "hydra/launcher=batched", "content=photos/1.png,photos/2.png"
    assert prepared(["content=photos", "style=photos", "-m"]) == [
        *(batched, named, named.replace("content", "style"), "-m"),
    ]
    for other in ("hydra/launcher=basic", "+hydra/launcher=joblib"):
        assert prepared(["-m", "content=photos", other]) == ["-m", named, other]


def test_a_sweep_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    put(*(f"many/{number}.png" for number in range(3)))
    monkeypatch.setattr(pictures, "_MOST", 2)
    with pytest.raises(InputError, match="content=many: 3 pictures; a sweep has 2 jobs at most"):
        prepared(["-m", "content=many"])
