"""How good are a backbone's pictures? Style and content kept, in the eyes of another network.

Question: which weights should ship, and which losses and weights should be a backbone's defaults?
Command: ``python -m experiments.backbone.judge --judge SQUEEZENET.pth --name NAME --contents A.jpg
B.jpg --styles C.jpg D.jpg --sizes 192 256 --style-weights 5 20 --override backbone=vgg16``; again
with another name and the table grows. A picture that the table has is not made again, whatever
the overrides are: other settings want another name.
Cost: a run of the default recipe for each picture.
Finding: docs/backbone.md.

The judge is SqueezeNet 1.0 trained on ImageNet, with max pooling, as trained. It gives two numbers
that pull against each other:

- *style error*: mean over six layers of ‖G − A‖ / ‖A‖, G and A the Gram matrices of picture and
  style; 0 is the style image itself
- *content kept*: correlation of the features of fire4 with the content's, −1 to 1

A texture has a style error alone; a reconstruction has its PSNR in dB.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from torch import Tensor

import nst
from experiments.backbone.fronts import draw_fronts
from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.errors import InputError
from nst.judges import feature_correlation, gram_distance
from nst.pictures.files import to_pil, to_uint8
from nst.pictures.measures import psnr
from nst.pictures.reading import open_image
from nst.pictures.samples import load_image
from nst.pictures.sheets import grid
from nst.runs.transfer import Transfer

STYLE_LAYERS = ("relu_1", "fire2", "fire4", "fire5", "fire7", "fire8")
CONTENT_LAYER = "fire4"
RECONSTRUCTED = ("conv_2", "conv_4", "conv_8", "conv_10", "conv_13")
DEFAULT = "default"


@dataclass(frozen=True)
class Judged:
    """A line of the table: one picture. What it has none of is empty.

    Attributes:
        name: of the candidate
        task: as in the config: transfer, texture or content
        size: longest side in pixels
        style_weight: as it was given, or ``default``; empty for a reconstruction
        content, style: what its images are called, without folder and suffix
        layer: of a reconstruction
        style_error: at least 0
        content_kept: −1 to 1
        psnr: in dB
        seconds: what the run took
    """

    name: str
    task: str
    size: int
    style_weight: str
    content: str
    style: str
    layer: str = ""
    style_error: float | str = ""
    content_kept: float | str = ""
    psnr: float | str = ""
    seconds: float | str = ""

    @property
    def file(self) -> str:
        """The picture's file name."""
        parts = (self.task, str(self.size), self.style_weight, self.content, self.style, self.layer)
        return "_".join(part for part in parts if part) + ".png"

    def same(self, other: Judged) -> bool:
        """Whether it is the same picture, judged or not."""
        empty = {"style_error": "", "content_kept": "", "psnr": "", "seconds": ""}
        return replace(self, **empty) == replace(other, **empty)  # type: ignore[arg-type]


class Judge:
    """Makes pictures of one candidate and judges them, each once."""

    def __init__(self, network: Backbone, name: str, overrides: list[str], output: Path):
        """
        Args:
            network: the judge
            name: what to call the candidate
            overrides: the candidate's settings, as ``run.py`` takes them
            output: the folder of ``table.csv`` and of the pictures

        Raises:
            InputError: the table there is none of this program's.
        """
        self.network, self.name, self.overrides, self.output = network, name, overrides, output
        self.table = output / "table.csv"
        self.known = read_table(self.table)
        (output / name).mkdir(parents=True, exist_ok=True)

    def judge(self, line: Judged, content: str, style: str) -> Judged:
        """One picture: from the table, or made, judged and added to it.

        Args:
            line: which one, its numbers empty
            content: sample or path; empty for a texture
            style: sample or path; empty for a reconstruction

        Raises:
            InputError: the candidate's settings or images cannot be used.
        """
        known = next((each for each in self.known if each.same(line)), None)
        if known is not None:
            return known
        overrides = [f"task={line.task}", "logger=none", *self.overrides]
        overrides += [f"content={content}"] if content else []
        overrides += [f"style={style}"] if style else []
        overrides += [f"content_layer={line.layer}"] if line.layer else []
        if line.style_weight not in ("", DEFAULT):
            overrides.append(f"loss.style_weight={line.style_weight}")
        began = time.perf_counter()
        *_, last = Transfer(nst.compose(*overrides, size=line.size)).run()
        seconds = time.perf_counter() - began
        image = last.images.clamp(0, 1)
        to_pil(image).save(self.output / self.name / line.file)
        line = replace(self._measured(line, image, content, style), seconds=round(seconds, 1))
        self._append(line)
        self.known.append(line)
        return line

    def _measured(self, line: Judged, image: Tensor, content: str, style: str) -> Judged:
        """The line with its numbers, for its picture (1, 3, H, W) in [0, 1]."""
        if style:
            painting = load_image(style, line.size)
            error = gram_distance(self.network, image, painting, STYLE_LAYERS)
            line = replace(line, style_error=round(error, 4))
        if not content:
            return line
        photo = load_image(content, line.size)
        if not style:
            return replace(line, psnr=round(psnr(to_uint8(image)[0], to_uint8(photo)[0]), 2))
        kept = feature_correlation(self.network, image, photo, CONTENT_LAYER)
        return replace(line, content_kept=round(kept, 4))

    def _append(self, line: Judged) -> None:
        new = not self.table.is_file()
        with self.table.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [each.name for each in fields(Judged)])
            if new:
                writer.writeheader()
            writer.writerow(asdict(line))


def read_table(file: Path) -> list[Judged]:
    """The lines of a table; none where there is no such file.

    Raises:
        InputError: its columns are others.
    """
    if not file.is_file():
        return []
    columns = [each.name for each in fields(Judged)]
    with file.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        if reader.fieldnames != columns:
            raise InputError(
                f"{file} has other columns than {', '.join(columns)}; choose another --output"
            )
        rows = [{key: value or "" for key, value in row.items()} for row in reader]
    return [Judged(**{**row, "size": int(row["size"])}) for row in rows]  # type: ignore[arg-type]


def transfers(arguments: argparse.Namespace, judge: Judge) -> Iterator[list[Judged]]:
    """Every content in every style, a list for each size and style weight."""
    for size in arguments.sizes:
        for weight in arguments.style_weights:
            lines = []
            for style in arguments.styles:
                for content in arguments.contents:
                    stems = Path(content).stem, Path(style).stem
                    line = Judged(judge.name, "transfer", size, weight, *stems)
                    lines.append(judge.judge(line, content, style))
            yield lines


def textures(arguments: argparse.Namespace, judge: Judge) -> Iterator[list[Judged]]:
    """A texture of every style, a list for each size."""
    for size in arguments.sizes:
        lines = []
        for style in arguments.styles:
            line = Judged(judge.name, "texture", size, DEFAULT, "", Path(style).stem)
            lines.append(judge.judge(line, "", style))
        yield lines


def reconstructions(arguments: argparse.Namespace, judge: Judge) -> Iterator[list[Judged]]:
    """Every content from every layer, a list for each size and layer."""
    for size in arguments.sizes:
        for layer in RECONSTRUCTED:
            lines = []
            for content in arguments.contents:
                line = Judged(judge.name, "content", size, "", Path(content).stem, "", layer)
                lines.append(judge.judge(line, content, ""))
            yield lines


def summary(lines: list[Judged]) -> str:
    """The means of some lines, as a line to print."""
    first, parts = lines[0], []
    for key in ("style_error", "content_kept", "psnr", "seconds"):
        values = [float(getattr(line, key)) for line in lines if getattr(line, key) != ""]
        if values:
            parts.append(f"{key} {sum(values) / len(values):.3f}")
    what = [first.name, first.task, f"{first.size} px", first.style_weight, first.layer]
    return "  ".join([*(part for part in what if part), *parts])


def write_sheet(lines: list[Judged], output: Path, sources: list[str]) -> None:
    """The transfers of one size and weight side by side, a row for each style behind itself.

    Args:
        lines: of one size and style weight
        output: where the pictures' folder is, and where the sheet goes
        sources: the styles, samples or paths
    """
    styles = list(dict.fromkeys(line.style for line in lines))
    by_stem = {Path(source).stem: source for source in sources}
    rows = []
    for style in styles:
        row = [(style, to_pil(load_image(by_stem[style], lines[0].size)))]
        for line in (each for each in lines if each.style == style):
            numbers = " / ".join(f"{float(x):.2f}" for x in (line.style_error, line.content_kept))
            picture = open_image(output / line.name / line.file)
            row.append((f"{line.content} {numbers}", picture))
        rows.append(row)
    first = lines[0]
    file = output / f"{first.name}_{first.size}_{first.style_weight}.jpg"
    grid(rows, height=min(first.size, 256)).save(file, quality=90)


def require_distinct_names(sources: list[str]) -> None:
    """Check that the table can tell the images apart.

    Raises:
        InputError: two of them are called the same.
    """
    stems = [Path(source).stem for source in sources]
    for stem in stems:
        if stems.count(stem) > 1:
            raise InputError(f"two images are called {stem}, which the table calls them by too")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--judge", required=True, help="ImageNet state dict of squeezenet1_0")
    parser.add_argument("--name", required=True, help="what to call the candidate")
    parser.add_argument("--contents", nargs="+", required=True, help="samples or paths")
    parser.add_argument("--styles", nargs="+", required=True, help="samples or paths")
    parser.add_argument("--sizes", type=int, nargs="+", default=[192], help="longest sides")
    parser.add_argument(
        "--style-weights", nargs="+", default=[DEFAULT], help="of the transfers; or default"
    )
    parser.add_argument("--override", nargs="*", default=[], help="as run.py takes: key=value")
    parser.add_argument("--textures", action="store_true", help="textures instead of transfers")
    parser.add_argument(
        "--reconstructions", action="store_true", help="reconstructions instead of transfers"
    )
    parser.add_argument("--output", type=Path, default=Path("outputs/judge_backbone"))
    return parser.parse_args(arguments)


def main() -> None:
    """Judge one candidate: lines of the table, sheets, and the fronts of all in the table."""
    arguments = parse()
    try:
        require_distinct_names(arguments.contents)
        require_distinct_names(arguments.styles)
        network = load_backbone("squeezenet1_0", arguments.judge, "max")
        judge = Judge(network, arguments.name, arguments.override, arguments.output)
        make = transfers
        if arguments.textures:
            make = textures
        elif arguments.reconstructions:
            make = reconstructions
        for lines in make(arguments, judge):
            print(summary(lines), flush=True)
            if make is transfers:
                write_sheet(lines, arguments.output, arguments.styles)
    except InputError as error:
        sys.exit(f"error: {error}")
    draw_fronts(judge.table)


if __name__ == "__main__":
    main()
