"""The pictures of the README.

Question: what do the defaults look like?
Command: ``python -m experiments.readme_figures``, with ``--images FOLDER --vgg16 FILE`` also those
of real paintings, by the network that ships and by the one that taught it.
Cost: about twenty minutes on two cores.
Finding: see README.md and docs/images/.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from PIL import Image

from experiments.pictures import DOCS, picture
from nst.command.line.names import slug
from nst.pictures.samples import open_source
from nst.pictures.sheets import grid

RUNS = Path("outputs") / "readme"
Cell = tuple[str, Image.Image]


def result(*overrides: str) -> Image.Image:
    """The image of one run, as :func:`picture`."""
    return picture(RUNS / slug(",".join(overrides)), *overrides)


def transfers() -> list[list[Cell]]:
    """Each photograph beside what two paintings make of it, with the default settings."""
    rows = []
    for content, styles in (
        ("astronaut", ("mosaic", "ink", "waves")),
        ("chelsea", ("swirl", "dabs")),
        ("coffee", ("waves", "swirl")),
    ):
        row = [(content, open_source(content))]
        row += [(style, result(f"content={content}", f"style={style}")) for style in styles]
        rows.append(row)
    return rows


def reconstructions() -> list[list[Cell]]:
    """A photograph rebuilt from one layer, ever deeper."""
    layers = ("conv_1", "conv_4", "conv_8", "conv_10", "conv_13")
    cells = [
        (layer, result("task=content", "content=chelsea", "size=256", f"content_layer={layer}"))
        for layer in layers
    ]
    return [[("chelsea", open_source("chelsea")), *cells[:2]], cells[2:]]


def textures() -> list[list[Cell]]:
    """Paintings above, textures made from their Gram matrices alone below."""
    names = ("mosaic", "swirl", "ink", "dabs")
    return [
        [(name, open_source(name)) for name in names],
        [(f"{n}, texture", result("task=texture", f"style={n}", "size=256")) for n in names],
    ]


def paintings(images: Path, vgg16: Path) -> list[list[Cell]]:
    """Real paintings: the network that ships, and ImageNet's VGG-16."""
    content = images / "tubingen.jpg"
    rows = []
    for name in ("starry_night", "the_scream", "shipwreck"):
        style = images / f"{name}.jpg"
        run = (f"content={content}", f"style={style}")
        mini = ("loss.style_weight=50",)
        imagenet = ("backbone=vgg16", f"backbone.weights={vgg16}", "loss.style_weight=30")
        rows.append(
            [
                (name.replace("_", " "), open_source(str(style))),
                ("vgg16_mini (ships)", result(*run, *mini)),
                ("vgg16 (ImageNet)", result(*run, *imagenet)),
            ]
        )
    return rows


def main() -> None:
    """Run what is missing and write the pictures."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--images", type=Path, help="folder with tubingen.jpg and the paintings")
    parser.add_argument("--vgg16", type=Path, help="state dict of vgg16, trained on ImageNet")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    figures = {"transfers": transfers, "reconstructions": reconstructions, "textures": textures}
    rows_of = {name: figure() for name, figure in figures.items()}
    if arguments.images and arguments.vgg16:
        rows_of["paintings"] = paintings(arguments.images, arguments.vgg16)
    DOCS.mkdir(parents=True, exist_ok=True)
    for name, rows in rows_of.items():
        grid(rows, height=260).save(DOCS / f"{name}.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    main()
