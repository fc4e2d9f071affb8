"""The check of one run: its config, its pictures, and the places that it will write to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict, read_write

from nst.command.sizes import checked
from nst.config import Config
from nst.runs.machine import garbage


def check_run(config: Any) -> None:
    """Check a run's config, its pictures, and the places that it will write to.

    Raises:
        InputError: one of them cannot work.
    """
    folder = Path(str(config.hydra.run.dir)).absolute()
    with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(folder)  # as the job will find it
    HydraConfig.instance().set_config(config)
    keys = [key for key in config if key != "hydra"]
    cfg = check_config(OmegaConf.masked_copy(config, keys))
    from nst.runs.job import check_places

    check_places(cfg, folder)


def check_config(composed: Any) -> Config:
    """The config, its losses' own options, and its pictures as far as their heads tell.

    The latter two need torch, which is needed anyway.
    """
    cfg = checked(composed)
    garbage.load_torch()
    from nst.losses.terms import terms_from_config
    from nst.runs.picture_check import check_pictures

    terms_from_config(cfg)
    check_pictures(cfg)
    return cfg


def checked_output(cfg: Config, folder: Path) -> Path | None:
    """Where a job's picture goes, beside its folder; None where ``output`` is not given."""
    from nst.runs.job import input_files
    from nst.runs.recording.output import check_output, output_file

    check_output(cfg, folder, input_files(cfg))
    file = output_file(cfg)
    return None if file is None else file.absolute().resolve()
