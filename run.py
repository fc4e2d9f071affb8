"""Compose the config, run it, record it: ``python run.py --help``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from experiments import report
from nst import cli, config, errors, launcher

cli.register()
log = logging.getLogger("nst")


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(composed: DictConfig) -> None:
    """One job. Wrong input ends a single run in one line; in a sweep the other jobs go on."""
    hydra_cfg = HydraConfig.get()
    sweep = hydra_cfg.mode is RunMode.MULTIRUN
    folder, name = Path(hydra_cfg.runtime.output_dir), cli.slug(hydra_cfg.job.override_dirname)
    group = str(hydra_cfg.sweep.dir) if sweep else None
    try:
        cfg = config.from_omegaconf(composed)
        from nst.job import Context  # imports torch, which --help and typos do not need

        launcher.run_job(cfg, Context(folder, name, group, list(hydra_cfg.overrides.task)))
    except errors.InputError as error:
        if not sweep:
            sys.exit(f"error: {error}")
        log.error("%s", error)
        raise CompactHydraException(str(error)) from error
    except KeyboardInterrupt:
        sys.exit(f"interrupted; what there is stays in {group or folder}")
    except Exception:
        if sweep:
            log.exception("this job failed")  # Hydra keeps a sweep's tracebacks to itself
        raise


if __name__ == "__main__":
    sys.argv[1:] = cli.prepared(sys.argv[1:])
    with report.after_sweep():
        main()
