"""The published recipes beside published pictures, for docs/presets.md.

Question: do the presets make the pictures that their authors show?
Command: ``python -m experiments.presets --weights VGG16.safetensors --images FOLDER`` with
tubingen.jpg, starry_night.jpg, the_scream.jpg and shipwreck.jpg in the folder, and in
``FOLDER/reference`` what neural-style-pt publishes of these pairs.
Cost: half an hour of one core, with ``--override size=256`` and what :data:`SHORTER` says.
Finding: docs/presets.md.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from PIL import Image

from experiments.pictures import DOCS, picture
from nst.pictures.reading import open_image
from nst.pictures.sheets import grid

RUNS = Path("outputs") / "presets"
PAIRS = {"starry_night": "starry", "the_scream": "scream", "shipwreck": "shipwreck"}
"""{style: how neural-style-pt's picture of Tübingen in it is called}."""

SHORTER = {
    "gatys2015": ("size=256",),
    "gatys_notebook": ("size=256",),
    "pytorch_tutorial": ("size=256",),
    "chollet_keras": ("size=256", "optimizer.steps=600"),
    "deeplearning_ai": ("size=256", "optimizer.steps=600", "content_layer=block5_conv3"),
    "fastai_lesson8": ("size=256",),
    "cmu_study": ("size=256", "style_layers=[conv_1-13]"),
}
"""What is not the preset's own: 256 px, fewer of very many steps, layers that VGG-16 has."""

Cell = tuple[str, Image.Image]


def made(weights: str, preset: str, content: Path, style: Path, *overrides: str) -> Image.Image:
    """What a preset makes of two pictures with VGG-16; see :func:`picture`."""
    network = ("backbone=vgg16", f"backbone.weights={weights}")
    files = (f"content={content}", f"style={style}")
    folder = RUNS / f"{preset}_{style.stem}"
    return picture(folder, f"preset={preset}", *network, *files, *overrides)


def neural_style(weights: str, images: Path, *overrides: str) -> list[list[Cell]]:
    """For each style what neural-style-pt publishes, and what the same recipe makes here."""
    rows = []
    for style, published in PAIRS.items():
        theirs = open_image(images / "reference" / f"tubingen_{published}.jpg")
        files = images / "tubingen.jpg", images / f"{style}.jpg"
        own = made(weights, "neural_style", *files, *overrides)
        name = style.replace("_", " ")
        rows.append(
            [(f"{name}: neural-style-pt, VGG-19", theirs), ("preset=neural_style, VGG-16", own)]
        )
    return rows


def others(weights: str, images: Path) -> list[list[Cell]]:
    """Tübingen in The Starry Night by every other preset, four in a row."""
    files = images / "tubingen.jpg", images / "starry_night.jpg"
    cells = [
        (preset, made(weights, preset, *files, *overrides)) for preset, overrides in SHORTER.items()
    ]
    return [cells[:4], cells[4:]]


def main() -> None:
    """Run what is missing and write the pictures."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--weights", required=True, help="VGG-16 at the Caffe network's magnitudes")
    parser.add_argument("--images", type=Path, required=True, help="folder of the four pictures")
    parser.add_argument("--override", nargs="*", default=[], help="of preset=neural_style")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    DOCS.mkdir(parents=True, exist_ok=True)
    rows = others(arguments.weights, arguments.images)
    grid(rows, height=240).save(DOCS / "presets.jpg", quality=85, optimize=True)
    rows = neural_style(arguments.weights, arguments.images, *arguments.override)
    grid(rows, height=300).save(DOCS / "neural_style.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    main()
