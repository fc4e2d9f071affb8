"""The pictures of docs/for-artists.md.

Question: what do the commands of that page make?
Command: ``python -m experiments.artist_figures``
Cost: about five minutes on two cores.
Finding: see docs/for-artists.md.
"""

from __future__ import annotations

import logging
from pathlib import Path

from PIL import Image

from experiments.pictures import DOCS, picture
from nst.command.line.names import slug
from nst.pictures.samples import open_source
from nst.pictures.sheets import grid

RUNS = Path("outputs") / "artists"
Cell = tuple[str, Image.Image]
MOST_BYTES = 60_000

DETAIL = (0.36, 0.08, 0.70, 0.42)
"""Left, top, right and bottom of what a sheet shows of a picture, as shares of its sides."""


def result(command: str) -> Image.Image:
    """What ``python run.py COMMAND`` makes."""
    return picture(RUNS / slug(command.replace(" ", ",")), *command.split())


def own() -> list[list[Cell]]:
    """A photograph, a painting, and what becomes of both."""
    made = result("content=chelsea style=swirl quality=draft")
    pictures = [(name, open_source(name)) for name in ("chelsea", "swirl")]
    return [[*pictures, ("the result", made)]]


def strokes() -> list[list[Cell]]:
    """One photograph in a painting's fine, middling and coarse strokes."""
    command = "content=coffee style=mosaic quality=draft style_size"
    return [[(f"style_size={n}", result(f"{command}={n}")) for n in (128, 256, 512)]]


def quality() -> list[list[Cell]]:
    """The same detail of a draft, a good picture and the best one."""
    command = "content=astronaut style=waves quality"
    names = ("draft", "good", "best")
    return [[(f"quality={name}", detail(result(f"{command}={name}"))) for name in names]]


def detail(image: Image.Image) -> Image.Image:
    """A part of a picture, enlarged without smoothing."""
    left, top, right, bottom = DETAIL
    w, h = image.size
    part = image.crop((int(left * w), int(top * h), int(right * w), int(bottom * h)))
    return part.resize((360, round(360 * part.height / part.width)), Image.Resampling.NEAREST)


def several() -> list[list[Cell]]:
    """Three photographs in one painting's style."""
    names = ("astronaut", "chelsea", "coffee")
    return [[(n, result(f"content={n} style=waves quality=draft")) for n in names]]


def variants() -> list[list[Cell]]:
    """Two paintings, each at three strengths."""
    command = "content=chelsea quality=draft"
    return [
        [
            (f"{style}, strength {s}", result(f"{command} style={style} strength={s}"))
            for s in (0.25, 0.5, 0.75)
        ]
        for style in ("dabs", "ink")
    ]


def save(sheet: Image.Image, file: Path) -> None:
    """Write a JPEG of at most 60 kB."""
    for share in range(82, 20, -6):
        sheet.save(file, quality=share, optimize=True)
        if file.stat().st_size < MOST_BYTES:
            return


def main() -> None:
    """Run what is missing and write the pictures."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    DOCS.mkdir(parents=True, exist_ok=True)
    for figure in (own, strokes, several, variants, quality):
        save(grid(figure(), height=150), DOCS / f"artists_{figure.__name__}.jpg")


if __name__ == "__main__":
    main()
