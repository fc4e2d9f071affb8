"""Pictures of single runs, for sheets in the documentation; each run is done once."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

import nst
from nst.pictures.reading import open_image
from nst.runs.context import Context
from nst.runs.job import run_job
from nst.runs.recording.folder import RECORD

DOCS = Path(__file__).resolve().parent.parent / "docs" / "images"


def picture(folder: Path, *overrides: str) -> Image.Image:
    """The image of one run, RGB; a run that is complete is not done again.

    Args:
        folder: the run's, which stands for these overrides
        overrides: as ``run.py`` takes them

    Raises:
        InputError: settings or images that cannot be used.
    """
    if not (folder / RECORD).is_file():
        run_job(nst.compose("logger=none", *overrides), Context(folder, overrides=overrides))
    return open_image(folder / "image.png")
