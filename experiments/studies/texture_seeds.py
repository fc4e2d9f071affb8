"""Several noises, one texture.

Question: do different starting noises give the same texture?
Command: ``python run.py -m study=texture_seeds``
Cost: three runs of 300 steps at 256 px.
Finding: docs/studies.md.
"""

from __future__ import annotations

import itertools

from experiments.studies.content_seeds import between_seeds, figures
from nst.pictures.measures import layout_correlation
from nst.reports.findings.claims import Answer, CannotSayError, Claim, Comparison, Study
from nst.reports.findings.samples import Samples, numbers
from nst.reports.measuring.differences import pixels
from nst.reports.sweeps import Sweep

UNRELATED, EQUAL, LIKE = 0.5, 0.25, 0.5
NEEDS = ("too_short", "too_small", "not_a_picture")


def _pictures_differ(sweep: Sweep) -> Answer:
    rms = Samples(pair.rms for pair in between_seeds(sweep))
    images = [pixels(sweep.folder(index) / "image.png") for index in sweep.runs.index]
    pairs = [(a, b) for a, b in itertools.combinations(images, 2) if a.shape == b.shape]
    agree = Samples(layout_correlation(a, b, 8) for a, b in pairs)
    text = f"Two seeds differ by {rms} of 255, and their means over 8 × 8 pixels correlate {agree}."
    return agree.answer(agree.at_most(UNRELATED, 0.7), text)


def _equally_like_the_style(sweep: Sweep) -> Answer:
    between_seeds(sweep)
    near = Samples(numbers(sweep, "style_distance"))
    if near.mean > LIKE:
        raise CannotSayError(
            f"style distance is {near}, above {LIKE:g}: these are no textures of the style"
        )
    unequal = Samples(abs(value / near.mean - 1) for value in near.values)
    text = f"Style distance is {near}; the seeds are off their mean by {unequal} of it."
    return unequal.answer(unequal.at_most(EQUAL, 2 * EQUAL), text)


CLAIMS = (
    Claim(
        "seeds_give_other_pictures",
        "Different starting noises put the strokes in different places.",
        "Correlation of the pictures of two seeds after averaging over blocks of 8 × 8 pixels, "
        "so that fine noise does not count, over the pairs: 1 is the same picture, 0 another "
        "arrangement.",
        f"At most {UNRELATED:g}, half way to another arrangement; partly up to 0.7.",
        "Where the style has large patches at the border, padding can put them in the same place; "
        "a texture finer than 8 pixels correlates by chance, whatever it looks like.",
        _pictures_differ,
        NEEDS,
    ),
    Claim(
        "seeds_are_equally_like_the_style",
        "They are like the style all the same, and equally so.",
        "How far each seed's style distance is off the mean of all, as a share of it, over the "
        "seeds.",
        f"At most {EQUAL:g}, and a style distance of at most {LIKE:g}, which two halves of one "
        f"painting have; partly up to {2 * EQUAL:g}.",
        "The distance is itself of Gram matrices, which the run made small, if in another network.",
        _equally_like_the_style,
        NEEDS,
    ),
)

STUDY = Study(
    name="texture_seeds",
    question="Do different starting noises give the same texture?",
    published="The results differ visibly: Gram matrices forget position.",
    claims=CLAIMS,
    axes=(),
    comparison=Comparison(
        by="seed",
        results=("losses_style",),
        figures=("seed_difference", "seed_distances"),
    ),
    columns="seed",
    figures=figures,
    task="texture",
)
