from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig

from nst.command.configs import CONF, register
from nst.command.names import slug


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
def test_folders_are_named_by_what_decides_the_picture(overrides: list[str], name: str) -> None:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides, return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
        assert HydraConfig.get().job.override_dirname == name
        assert HydraConfig.get().run.dir.endswith(f"_{slug(name)}")
