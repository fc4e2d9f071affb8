"""What a report measures: its name, unit and range, and a sentence for a reader who is new to it.

Tables, figures, captions and the page take their words from here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """One column of numbers of a sweep's runs.

    Attributes:
        column: of ``sweep.runs``
        name: in words, as on an axis
        unit: empty for a pure number
        explanation: what it is, with its range
    """

    column: str
    name: str
    unit: str
    explanation: str

    @property
    def label(self) -> str:
        """Name and unit, as on an axis."""
        return f"{self.name}, {self.unit}" if self.unit else self.name


QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        "psnr", "PSNR", "dB",
        "Peak signal-to-noise ratio to the content image: 20 log₁₀(255 / root mean square "
        "difference over red, green and blue). 20 dB: pixels are off by 25 of 255; from 30 dB on "
        "two pictures look alike; 100 stands for equal pictures.",
    ),
    Quantity(
        "ssim", "SSIM", "",
        "Structural similarity to the content image (Wang et al. 2004), −1 to 1; 1 is the same "
        "picture.",
    ),
    Quantity(
        "edges", "edge correlation", "",
        "Correlation of the gradient magnitudes (Sobel, on grey) of picture and content, −1 to 1: "
        "1 where every contour stands where it stood, about 0 for another photograph.",
    ),
    Quantity(
        "content_kept", "content kept", "",
        "Correlation of picture and content in features of a network that did not make the "
        "picture, each channel less its mean; −1 to 1: 1 is the content itself, about 0 another "
        "photograph or noise.",
    ),
    Quantity(
        "style_distance", "style distance", "",
        "Relative difference of the Gram matrices of picture and style in a network that did not "
        "make the picture, mean over five layers; from 0, which is the style image itself.",
    ),
    Quantity(
        "roughness", "relative roughness", "",
        "Mean difference of neighbouring pixels of the picture over that of its style image (of "
        "its content, where there is no style); from 0, 1 is as rough as the original, white "
        "noise is several times as rough.",
    ),
    Quantity(
        "rms", "difference", "of 255",
        "Root mean square difference of two pictures over red, green and blue, 0 to 255; its "
        "square is the sum of the squares of its parts, brightness and colour.",
    ),
    Quantity(
        "rms_brightness", "in brightness", "of 255",
        "The part of a difference that all three colours share: their mean.",
    ),
    Quantity(
        "rms_color", "in colour", "of 255",
        "The part of a difference that is left without brightness: what makes it coloured.",
    ),
    Quantity("seconds_per_step", "time per step", "s", "Wall time of one step."),
    Quantity("seconds", "time", "s", "Wall time of all steps of a run."),
    Quantity("peak_memory_mb", "memory", "MB", "The most memory that the process held."),
    Quantity("restarts", "restarts", "", "How often the optimiser went back to the best image."),
)  # fmt: skip


def quantity(column: str) -> Quantity:
    """A column's quantity; of losses and of columns that are not listed, by their names.

    >>> quantity("psnr").label, quantity("losses_unweighted.style").label
    ('PSNR, dB', 'style loss, unweighted')
    """
    for each in QUANTITIES:
        if each.column == column:
            return each
    family, _, kind = column.partition(".")
    words = kind.replace("_", " ")
    if family == "losses":
        name = "loss" if kind == "total" else f"{words} loss"
        return Quantity(column, name, "", "A term of the loss at the last step, with its weight.")
    if family == "losses_unweighted":
        text = "A term of the loss at the last step, before its weight: comparable across weights."
        return Quantity(column, f"{words} loss, unweighted", "", text)
    return Quantity(column, column.replace("_", " ").replace(".", " "), "", "")
