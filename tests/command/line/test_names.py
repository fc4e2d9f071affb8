"""Names as they are on disk, through Hydra's grammar and OmegaConf's; and names of folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep

import nst
from nst.command.configs import CONF, register
from nst.command.line.names import quote_paths, slug
from nst.command.plan import expand_sweep
from nst.errors import InputError

NAMES = [
    *("größe.png", "a=b.png", "photo (1).png", "a b.png", " leading.png", "trailing.png "),
    *("[1].png", "{a}.png", "it's.png", '"q".png', "#1.png", "100%.png", "???.png", "*.png"),
    *("$HOME.png", "a@b.png", "🎨.png", "a,b.png", ",.png", "a;b&c|d.png", "a\\b.png", "1e3"),
    *("true", "null", "1_000", "007", "choice(a,b)", "[a]", "{a}", "${style}.png", "\\${style}"),
    *("a\\\\${b}.png", "'quoted'", "'half", "x:y.png", "ａ.png", "é.png", "\u202f.png", "a\nb.png"),
    *("-m.png", "str(3)", "!.png", "a, b.png", "<b>.png", "'a','b'"),
]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def swept(argument: str) -> list[Any]:
    """The values that Hydra reads in a sweep."""
    override = OverridesParser.create().parse_override(argument)
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return [getattr(each, "text", each) for each in value.list]
    return [value]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_found_alone_and_in_a_sweep(name: str) -> None:
    Path(name).write_bytes(b"a picture")
    Path("plain.png").write_bytes(b"a picture")
    assert nst.compose(*quote_paths([f"content={name}"])).content == name
    jobs = expand_sweep(quote_paths(["-m", f"content={name},plain.png,chelsea"])[1:])
    assert jobs[1:] == [["content=plain.png"], ["content=chelsea"]]
    assert nst.compose(*jobs[0]).content == name
    assert expand_sweep(quote_paths(["-m", f"content={name}"])[1:]) == jobs[:1]


@pytest.mark.parametrize("name", ["~x.png", "~root", "~", "???"])
def test_what_would_mean_more_is_found_in_this_folder(name: str) -> None:
    Path(name).write_bytes(b"a picture")
    (job,) = expand_sweep(quote_paths(["-m", f"content={name}"])[1:])
    assert nst.compose(*job).content == str(Path(name).resolve())


@pytest.mark.parametrize(
    "name", ["photo (1).jpg", "é.png", "a=b,c.png", "~/x.png", "it's.png", "choice(1).png"]
)
def test_a_file_that_is_not_there_is_named_as_it_was_written(name: str) -> None:
    with pytest.raises(InputError) as caught:
        nst.compose(*quote_paths([f"content={name}"]))
    assert str(caught.value).startswith(f"content={name}: no such file")


@pytest.mark.parametrize(
    "argument",
    [
        "content='a b.jpg'",
        "content=a b,c",
        "content=choice(a,b)",
        "content=shuffle(a,b)",
        "content='a,b',\"c\"",
        "content=[a,b]",
        "content=${style},b",
        "content=x/y.jpg",
        "content=",
        "seed=0,1",
        "seed=range(0,3)",
        "loss=glob(gatys*)",
        "style_layers=[conv_1,conv_2],[conv_3]",
    ],
)
def test_hydras_own_syntax_stays_as_it_is(argument: str) -> None:
    assert quote_paths(["-m", argument]) == ["-m", argument]


def test_a_whole_value_that_is_a_file_wins_over_its_parts() -> None:
    for name in ("a", "b", "a,b"):
        Path(name).write_bytes(b"a picture")
    assert quote_paths(["-m", "content=a,b"]) == ["-m", "content='a,b'"]


def test_names_with_commas_are_found_within_a_list() -> None:
    for name in ("x, y.png", "b.png"):
        Path(name).write_bytes(b"a picture")
    _, argument = quote_paths(["-m", "style=b.png,x, y.png,  ink , x, y.png"])
    assert swept(argument) == ["b.png", "x, y.png", "ink", "x, y.png"]


def test_a_sweep_without_its_flag_is_told_so() -> None:
    Path("größe.png").write_bytes(b"a picture")
    for value in ("chelsea,coffee", "größe.png,b.png", "choice(ink,waves)"):
        with pytest.raises(InputError, match="several values make a sweep; add -m"):
            nst.compose(*quote_paths([f"content={value}"]))


@pytest.mark.parametrize("key", ["hydra.run.dir", "hydra.sweep.dir", "logger.project"])
def test_other_text_is_quoted_as_a_whole(key: str) -> None:
    assert quote_paths(["-m", f"{key}=größe (1),2"]) == ["-m", f"{key}='größe (1),2'"]
    assert quote_paths(["-m", f"{key}=out/x"]) == ["-m", f"{key}=out/x"]


@pytest.mark.parametrize("flag", ["-m", "--multirun", "--multi", "hydra.mode=MULTIRUN"])
def test_sweeps_are_known_by_their_flags(flag: str) -> None:
    assert quote_paths([flag, "content=ä,b"])[1] == "content='ä',b"


# --- runs -----------------------------------------------------------------------------------------


def test_slugs_are_safe_short_and_different() -> None:
    assert slug("") == "default"
    assert slug("seed=0") == "seed=0"
    assert slug("++loss.style.activation_shift=0,seed=1") == "loss.style.activation_shift=0,seed=1"
    long = [slug(f"content=/a/{'b' * 300}/{i}.jpg,seed=0") for i in range(3)]
    assert len(set(long)) == 3
    for text in (*long, slug("content=../../x y"), slug("style=ünï/c:ø*?.png")):
        assert len(text) <= 100
        assert not set(text) & set('/\\ :*?"<>|')
        assert Path(text).name == text


@pytest.mark.parametrize(
    "text",
    [
        *("../../x", "..", ".", "/etc/passwd", "a/../../b", "a\0b", "\\\\server\\share", "~", "-m"),
        *("x" * 5000, "ü" * 5000, "🎨" * 200, "trailing. . ", "con", "NUL.txt", "com1", "a\nb"),
        *("\udcff", "<script>", "content='größe.png'", "$(x)", "%00", ".hidden", "...", "   "),
    ],
)
def test_no_name_leaves_its_folder(text: str, tmp_path: Path) -> None:
    name = slug(text)
    folder = tmp_path / name
    folder.mkdir()
    assert folder.resolve().parent == tmp_path.resolve()
    assert [f.name for f in tmp_path.iterdir()] == [name]
    assert len(name.encode()) <= 100
    assert name.isascii()
    assert name == name.strip(". -")
    assert name.partition(".")[0].lower() not in ("con", "nul", "com1")
    assert slug(text + "2") != name


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["seed=3", "size=64"], "seed=3,size=64"),
        (["seed=3", "device=cpu", "logger=none", "logger.project=x"], "seed=3"),
        (["seed=3", "report.enabled=false", "report.figure_width=7"], "seed=3"),
        (["study=layer_ablation", "study.size=quick", "snapshot_every=5", "seed=3"], "seed=3"),
        (["++logger.mode=online", "hydra/launcher=batched", "hydra.launcher.max_batch=3"], ""),
    ],
)
def test_runs_are_called_by_what_decides_the_picture(overrides: list[str], name: str) -> None:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides, return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
        assert HydraConfig.get().job.override_dirname == name
