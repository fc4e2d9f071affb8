"""How much of the content and of the style a picture has at each ``strength``.

Question: does content kept fall evenly with strength, whatever the size, style and network?
Command: ``python -m experiments.strength``, and once for a network anew, before its numbers are in
``conf/backbone``: ``--backbones NAME --weights 0.3 1 3 10 30 100 --sizes 192``, which also prints
them. A picture whose numbers the table has is not made again; ``--draw`` makes none.
Cost: a transfer of 100 steps for each picture: on one core of an AMD EPYC 4 s at 192 px, 75 s at
768 px.
Finding: docs/lab/strength.md.
"""

from __future__ import annotations

import argparse
import csv
import logging
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

import nst
from experiments.pictures import DOCS
from nst.config import Config
from nst.config.samples import PAINTINGS
from nst.judges import held_out_judge
from nst.pictures.files import quantize, to_pil
from nst.pictures.reading import open_image
from nst.pictures.samples import load_image
from nst.pictures.sheets import sheet
from nst.reports.drawing.style import HOUSE_STYLE, colors, new_figure
from nst.runs.transfer import Transfer

log = logging.getLogger(__name__)

RUNS = Path("outputs") / "strength"
TABLE = DOCS.parent / "lab" / "strength.csv"
TOLERANCE = 0.15
"""How far the share of a picture's content that is gone may be from its strength, as stated before
the runs."""
WORDS = {
    "content_kept": "content kept",
    "share": "share of its fall",
    "style_distance": "style distance",
}
"""{column: how it is called in the figure}."""


@dataclass(frozen=True)
class Row:
    """A line of the table: one picture.

    Attributes:
        backbone: that steered
        content, style: stems of the pictures' names
        size: longest side in pixels
        strength: as it was given; empty where a style weight was
        style_weight, content_weight: as they were
        content_kept, style_distance: in the eyes of another network (:mod:`nst.judges`)
        seconds: of optimisation
    """

    backbone: str
    content: str
    style: str
    size: int
    strength: str
    style_weight: float
    content_weight: float
    content_kept: float = math.nan
    style_distance: float = math.nan
    seconds: float = math.nan

    @property
    def name(self) -> str:
        """Of the picture's file, and the same for the same picture."""
        given = f"strength{self.strength}" if self.strength else "weight"
        weights = f"{self.style_weight:.6g}_{self.content_weight:g}"
        return f"{self.backbone}_{self.content}_{self.style}_{self.size}_{given}_{weights}"


def read(table: Path) -> list[Row]:
    """The lines of a table; none where there is no such file."""
    if not table.is_file():
        return []
    frame = pd.read_csv(table, dtype={"strength": str}, keep_default_na=False)
    records: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    return [Row(**record) for record in records]


def append(table: Path, row: Row) -> None:
    """One line more."""
    new = not table.is_file()
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Row)], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(asdict(row))


def make(cfg: Config, row: Row) -> Row:
    """Make a picture, save it in :data:`RUNS`, and have it judged."""
    started = time.perf_counter()
    for progress in Transfer(cfg).run():
        image = progress.images
    seconds = time.perf_counter() - started
    image = quantize(image)
    RUNS.mkdir(parents=True, exist_ok=True)
    to_pil(image).save(RUNS / f"{row.name}.png")
    judge = held_out_judge([cfg.backbone.name.name])
    kept = judge.content_kept(image, load_image(cfg.content, cfg.size))
    distance = judge.style_distance(image, load_image(cfg.style, cfg.size))
    kept, distance, seconds = round(kept, 4), round(distance, 4), round(seconds, 1)
    return replace(row, content_kept=kept, style_distance=distance, seconds=seconds)


def wanted(given: argparse.Namespace) -> Iterator[tuple[Config, Row]]:
    """Every picture that is asked for: its config, and its line without measurements."""
    keys = [f"loss.style_weight={weight}" for weight in given.weights or ()]
    keys += [f"strength={strength}" for strength in (["1"] if given.weights else given.strengths)]
    pictures = product(given.backbones, given.sizes, keys, given.contents, given.styles)
    for backbone, size, key, content, style in pictures:
        names = (f"backbone={backbone}", f"content={content}", f"style={style}", f"size={size}")
        cfg = nst.compose("logger=none", *names, key, *given.override)
        strength = key.partition("=")[2] if key.startswith("strength=") else ""
        weights = cfg.loss.style_weight, cfg.loss.content_weight
        stems = Path(content).stem, Path(style).stem
        yield cfg, Row(backbone, *stems, size, strength, *weights)


SAME = ["backbone", "content", "style", "size"]
"""Columns that lines have in common whose pictures differ in strength alone."""


def with_share(frame: pd.DataFrame) -> pd.DataFrame:
    """The lines with ``share``: how far down content kept is between both of its ends.

    The share is 0 for the photograph, of which 1 is kept, and 1 for the same pictures at strength
    1; lines without a line of strength 1 are left out.
    """
    ends = frame[frame["content_weight"] == 0].set_index(SAME)["content_kept"]
    least = frame.join(ends[~ends.index.duplicated()].rename("least"), on=SAME)["least"]
    return frame.assign(share=(1 - frame["content_kept"]) / (1 - least))[least.notna()]


def fit(frame: pd.DataFrame) -> list[float]:
    """``strength_weights``: the style weights at which the share is ¼, ½ and ¾.

    Args:
        frame: lines of one network with their style weights, and some of strength 1

    Returns:
        Read off the line through the mean log odds of the share over the styles at each weight;
        of the two outermost weights on beyond them.
    """
    shares = with_share(frame)
    shares = shares[
        (shares["content_weight"] * shares["style_weight"] > 0)
        & shares["share"].between(0, 1, "neither")
    ]
    odds = (shares["share"] / (1 - shares["share"])).map(math.log)
    means = odds.groupby(shares["style_weight"]).mean().sort_values()
    weights = np.log(means.index.to_numpy())
    wanted = [math.log(share / (1 - share)) for share in (0.25, 0.5, 0.75)]
    return [float(f"{math.exp(_through(each, means.to_numpy(), weights)):.2g}") for each in wanted]


def _through(x: float, xs: np.ndarray, ys: np.ndarray) -> float:
    """A line through points of rising x, at x; beyond them the first and last pieces go on."""
    piece = int(np.clip(np.searchsorted(xs, x), 1, len(xs) - 1))
    slope = (ys[piece] - ys[piece - 1]) / (xs[piece] - xs[piece - 1])
    return float(ys[piece - 1] + slope * (x - xs[piece - 1]))


def summary(frame: pd.DataFrame) -> str:
    """A line for each network, size and strength: means, and the one furthest from even."""
    lines = []
    for (backbone, size, strength), cell in frame.groupby(["backbone", "size", "strength"]):
        off = cell["share"] - cell["strength"]
        means = cell[list(WORDS)].mean()
        numbers = ", ".join(f"{words} {means[key]:.3f}" for key, words in WORDS.items())
        lines.append(
            f"{backbone} {size} px strength {strength:g} ({len(cell)} pictures): {numbers}, "
            f"furthest off by {off.abs().max():.3f}"
        )
    return "\n".join(lines)


def by_strength(rows: Sequence[Row]) -> pd.DataFrame:
    """The lines that were made by strength, of the config as it is, with their share."""
    frame = pd.DataFrame([asdict(row) for row in rows if row.strength])
    frame = frame.drop_duplicates([*SAME, "strength"], keep="last")
    return with_share(frame.assign(strength=frame["strength"].astype(float)))


def draw(frame: pd.DataFrame, file: Path) -> None:
    """Content kept, its share and style distance along strength, a column for each network.

    A size has a colour; a thin line is a style, the thick one their mean, the band the tolerance.
    """
    backbones, sizes = list(dict.fromkeys(frame["backbone"])), sorted(set(frame["size"]))
    color = dict(zip(sizes, colors(len(sizes)), strict=True))
    figure = new_figure(3.4 * len(backbones), 6.2)
    with mpl.rc_context(HOUSE_STYLE):
        axes = figure.subplots(3, len(backbones), sharex=True, sharey="row", squeeze=False)
        for column, backbone in zip(axes.T, backbones, strict=True):
            column[0].set_title(f"{backbone} steers")
            column[2].set_xlabel("strength")
            column[1].fill_between(
                [0, 1], [-TOLERANCE, 1 - TOLERANCE], [TOLERANCE, 1 + TOLERANCE],
                color="#dddddd", linewidth=0,
            )  # fmt: skip
            same = frame[frame["backbone"] == backbone]
            for panel, key in zip(column, WORDS, strict=True):
                _lines(panel, same, key, color)
        for panel, words in zip(axes[:, 0], WORDS.values(), strict=True):
            panel.set_ylabel(words)
        axes[0][0].legend()
    figure.savefig(file, dpi=110)


def _lines(axes: Axes, frame: pd.DataFrame, key: str, color: dict[int, tuple[float, ...]]) -> None:
    """One panel."""
    for size, shade in color.items():
        same = frame[frame["size"] == size]
        for _, each in same.groupby(["content", "style"]):
            each = each.sort_values("strength")
            axes.plot(each["strength"], each[key], color=shade, linewidth=0.4, alpha=0.7)
        means = same.groupby("strength")[key].mean()
        axes.plot(means.index, means, color=shade, marker="o", label=f"{size} px")


def strip(pictures: Iterable[tuple[Config, Row]]) -> None:
    """``strength.jpg``: pictures side by side; one whose file is not there any more is made."""
    cells = []
    for cfg, row in pictures:
        file = RUNS / f"{row.name}.png"
        if not file.is_file():
            make(cfg, row)
        cells.append((f"strength={row.strength}", open_image(file)))
    sheet(cells, height=190).save(DOCS / "strength.jpg", quality=85, optimize=True)


def main() -> None:
    """Make what the table lacks, and draw all of it."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rows = read(given.table)
    known = {row.name for row in rows}
    if given.strip:
        strip(wanted(given))
        return
    for cfg, row in () if given.draw else wanted(given):
        if row.name not in known:
            rows.append(make(cfg, row))
            append(given.table, rows[-1])
            log.info("%s: content kept %.3f, style distance %.3f", row.name,
                     rows[-1].content_kept, rows[-1].style_distance)  # fmt: skip
    if given.weights:
        frame = pd.DataFrame([asdict(row) for row in rows])
        for backbone in given.backbones:
            log.info("%s: strength_weights %s", backbone, fit(frame[frame["backbone"] == backbone]))
        return
    frame = by_strength(rows)
    log.info("%s", summary(frame))
    draw(frame, DOCS / "strength.png")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--table", type=Path, default=TABLE, help="CSV, read and continued")
    parser.add_argument("--backbones", nargs="+", default=["vgg16_mini", "vgg19_mini"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[192, 384, 768], help="pixels")
    parser.add_argument("--contents", nargs="+", default=["chelsea"], help="samples or files")
    parser.add_argument("--styles", nargs="+", default=list(PAINTINGS), help="samples or files")
    parser.add_argument("--strengths", nargs="+", default=["0", "0.25", "0.5", "0.75", "1"])
    parser.add_argument("--weights", nargs="+", help="style weights instead, to calibrate by")
    parser.add_argument("--override", nargs="+", default=[], help="of the config")
    parser.add_argument("--draw", action="store_true", help="only what the table has")
    parser.add_argument("--strip", action="store_true", help="only these pictures side by side")
    return parser.parse_args()


if __name__ == "__main__":
    main()
