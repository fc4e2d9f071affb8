"""Several noises, one content.

Question: do different starting noises give the same reconstruction?
Command: ``python run.py -m study=content_seeds``
Cost: three runs of 300 steps at 256 px.
Finding: docs/studies.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nst.reports.drawing.distances import distances_figure
from nst.reports.drawing.style import Drawing
from nst.reports.findings.claims import Answer, CannotSayError, Claim, Comparison, Study
from nst.reports.findings.samples import Samples
from nst.reports.measuring.differences import (
    Difference,
    between_runs,
    to_originals,
)
from nst.reports.sweeps import Sweep

SAME = 20.0  # dB
NOISE = 0.35
NEEDS = ("too_short", "too_small", "not_a_picture", "content_absent")


def _runs(sweep: Sweep) -> tuple[list[Path], list[str]]:
    seeds = sweep.runs["seed"] if "seed" in sweep.runs else [""] * len(sweep.runs)
    return [Path(folder) for folder in sweep.runs["folder"]], [f"seed {seed}" for seed in seeds]


def between_seeds(sweep: Sweep) -> list[Difference]:
    """The difference of each pair of seeds.

    Raises:
        CannotSayError: fewer than three seeds, or equal pictures.
    """
    pairs = between_runs(*_runs(sweep))
    if len(pairs) < 3:
        raise CannotSayError(f"the seeds give {len(pairs)} pairs of one size, three are needed")
    if any(pair.is_zero for pair in pairs):
        raise CannotSayError("two seeds gave the same picture, so the seed decided nothing")
    return pairs


def _same_picture(sweep: Sweep) -> Answer:
    pairs = between_seeds(sweep)
    psnr = Samples(pair.psnr for pair in pairs)
    text = f"Two seeds differ by {_rms(pairs)}: a PSNR of {psnr} dB."
    return psnr.answer(psnr.at_least(SAME, SAME - 5), text, "dB")


def _rms(differences: Sequence[Difference]) -> str:
    """Means over some differences, in words."""
    rms, brightness, color = (
        sum(getattr(each, name) for each in differences) / len(differences)
        for name in ("rms", "rms_brightness", "rms_color")
    )
    return f"{rms:.1f} of 255 (brightness {brightness:.1f}, colour {color:.1f})"


def _noise_between(sweep: Sweep) -> Answer:
    return _looks_like_noise(between_seeds(sweep), "Two seeds differ")


def _noise_to_original(sweep: Sweep) -> Answer:
    originals = [each for each in to_originals(*_runs(sweep)) if not each.is_zero]
    return _looks_like_noise(originals, "Results and original differ")


def _looks_like_noise(differences: Sequence[Difference], what: str) -> Answer:
    share = Samples(each.coarse_share for each in differences)
    text = f"{what} by {_rms(differences)}; means over 8 × 8 pixels keep {share} of it."
    return share.answer(share.at_most(NOISE, 0.5), text)


_MEASURE = (
    "The share of the root mean square difference that is left after averaging over blocks of "
    "8 × 8 pixels, over {samples}: white noise leaves an eighth, the difference of two "
    "photographs 0.9."
)
_THRESHOLD = f"At most {NOISE:g}, which is nearer to noise than to a picture; partly up to 0.5."
_OBJECTION = (
    "Patches of colour larger than 8 pixels count as a picture, also where they are random; a fine "
    "pattern counts as noise, also where it is regular."
)

CLAIMS = (
    Claim(
        "seeds_give_nearly_the_same_picture",
        "Different starting noises give nearly the same picture.",
        "PSNR between the pictures of two seeds, in red, green and blue, over the pairs.",
        f"At least {SAME:g} dB, a difference of 25 of 255 or a tenth of the range (two unrelated "
        f"photographs have 6 to 11 dB); partly from {SAME - 5:g} dB.",
        "Pixels count, not what is seen: two pictures with other grain are the same to the eye. Of "
        "a photograph with little contrast any two pictures are near each other.",
        _same_picture,
        NEEDS,
    ),
    Claim(
        "difference_of_seeds_is_noise",
        "What differs between two seeds looks like noise.",
        _MEASURE.format(samples="the pairs of seeds"),
        _THRESHOLD,
        _OBJECTION,
        _noise_between,
        NEEDS,
    ),
    Claim(
        "difference_to_original_is_noise",
        "What differs from the original looks like noise, too.",
        _MEASURE.format(samples="the seeds"),
        _THRESHOLD,
        _OBJECTION,
        _noise_to_original,
        (*NEEDS, "repeated"),
    ),
)


def figures(sweep: Sweep, width: float) -> Mapping[str, Drawing]:
    """How far seeds are from each other and from the original, in brightness and colour."""
    drawing = distances_figure(sweep, width=width)
    return {"seed_distances": drawing} if drawing else {}


STUDY = Study(
    name="content_seeds",
    question="Do different starting noises give the same reconstruction?",
    published="Nearly: the differences between the two, and to the original, look like noise.",
    claims=CLAIMS,
    axes=(),
    comparison=Comparison(
        by="seed",
        results=("psnr", "ssim", "losses_content"),
        figures=("seed_difference", "seed_distances"),
    ),
    columns="seed",
    figures=figures,
    task="content",
)
