"""How good are the pictures of a backbone? Reconstruction, textures, transfers, judged by another.

Question: which weights of ``vgg19_mini`` should ship?
Command: ``python -m experiments.backbone.judge --judge SQUEEZENET.pth --name shipped
--weights shipped --contents A.jpg B.jpg --styles C.jpg D.jpg``; run again with other weights and
the table grows.
Cost: a few minutes for each candidate.
Finding: docs/backbone.md.

The judge is SqueezeNet 1.0 trained on ImageNet, with max pooling, as trained. The Gram error of a
picture is the mean over six of its layers of ‖G − A‖ / ‖A‖: 0 is the style image itself.
"""

from __future__ import annotations

import argparse
import csv
from math import nan
from pathlib import Path

from PIL import Image
from torch import Tensor

import nst
from experiments.measures import gram_distance
from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.config import Config
from nst.pictures.files import to_pil, to_uint8
from nst.pictures.measures import psnr
from nst.pictures.samples import load_image
from nst.pictures.sheets import grid
from nst.runs.transfer import Transfer

JUDGE_LAYERS = ("relu_1", "fire2", "fire4", "fire5", "fire7", "fire8")
RECONSTRUCTED = ("conv_2", "conv_4", "conv_8", "conv_10", "conv_13")
Cell = tuple[str, Image.Image]


def gram_error(judge: Backbone, image: Tensor, style: Tensor) -> float:
    """Mean over layers of ‖G − A‖ / ‖A‖ in the judge's eyes; images (1, 3, H, W) in [0, 1]."""
    return gram_distance(judge, image, style, JUDGE_LAYERS)


def final_image(cfg: Config) -> Tensor:
    """The result of a run with these settings, clamped to [0, 1]."""
    *_, last = Transfer(cfg).run()
    return last.images.clamp(0, 1)


def settings(arguments: argparse.Namespace, *overrides: str) -> Config:
    """The default recipe with the candidate's weights and what the command line changes."""
    common = [f"backbone.weights={arguments.weights}", "logger=none"]
    return nst.compose(*common, *arguments.override, *overrides, size=arguments.size)


def judge_styles(
    arguments: argparse.Namespace, judge: Backbone
) -> tuple[list[float], list[float], list[list[Cell]]]:
    """Errors of textures and of transfers, and the pictures, a row for each style."""
    textures, transfers, rows = [], [], []
    for style in arguments.styles:
        target = load_image(style, arguments.size)
        texture = final_image(settings(arguments, "task=texture", f"style={style}"))
        textures.append(gram_error(judge, texture, target))
        row = [(Path(style).stem, to_pil(target)), (f"texture {textures[-1]:.2f}", to_pil(texture))]
        for content in arguments.contents:
            image = final_image(settings(arguments, f"style={style}", f"content={content}"))
            transfers.append(gram_error(judge, image, target))
            row.append((f"{Path(content).stem} {transfers[-1]:.2f}", to_pil(image)))
        rows.append(row)
    return textures, transfers, rows


def judge_reconstructions(arguments: argparse.Namespace) -> dict[str, float]:
    """Mean PSNR in dB over the content images, by layer."""
    by_layer = {}
    for layer in RECONSTRUCTED:
        values = []
        for content in arguments.contents:
            cfg = settings(
                arguments, "task=content", f"content={content}", f"content_layer={layer}"
            )
            target = load_image(content, arguments.size)
            values.append(psnr(to_uint8(final_image(cfg))[0], to_uint8(target)[0]))
        by_layer[layer] = sum(values) / len(values)
    return by_layer


def main() -> None:
    """Judge one candidate; append its row to the table and write its sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--judge", required=True, help="ImageNet state dict of squeezenet1_0")
    parser.add_argument("--name", required=True, help="what to call the candidate")
    parser.add_argument("--weights", required=True, help="as backbone.weights")
    parser.add_argument("--contents", nargs="+", required=True)
    parser.add_argument("--styles", nargs="+", required=True)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--override", nargs="*", default=[], help="as run.py takes: key=value")
    parser.add_argument("--no-reconstructions", action="store_true", help="leave them out")
    parser.add_argument("--output", type=Path, default=Path("outputs/judge_backbone"))
    arguments = parser.parse_args()
    judge = load_backbone("squeezenet1_0", arguments.judge, "max")
    textures, transfers, rows = judge_styles(arguments, judge)
    reconstructions = {} if arguments.no_reconstructions else judge_reconstructions(arguments)
    arguments.output.mkdir(parents=True, exist_ok=True)
    grid(rows, height=160).save(arguments.output / f"{arguments.name}_{arguments.size}.jpg")
    row = {
        "name": arguments.name,
        "size": str(arguments.size),
        "texture": f"{sum(textures) / len(textures):.3f}",
        "transfer": f"{sum(transfers) / len(transfers):.3f}",
        **{layer: f"{reconstructions.get(layer, nan):.1f}" for layer in RECONSTRUCTED},
    }
    table = arguments.output / "table.csv"
    new = not table.is_file()
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(*(f"{key} {value}" for key, value in row.items()), sep="  ")


if __name__ == "__main__":
    main()
