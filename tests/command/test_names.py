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
