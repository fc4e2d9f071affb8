"""The words of a report that a reader may not know, explained where they stand and at its foot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from markupsafe import Markup, escape

from nst.reports.measuring.quantities import QUANTITIES

_COMMON = {
    "Gram matrix": "The products of every pair of a layer's channels, averaged over positions: "
    "which features occur together, and nothing of where. It is the style in Gatys et al. (2015).",
    "content loss": "How far the picture's features are from the content image's, at the content "
    "layers.",
    "style loss": "How far a statistic of the picture's features, as their Gram matrices, is from "
    "the style image's, summed over the style layers.",
    "total variation": "The sum of the differences between neighbouring pixels; as a loss it "
    "smooths.",
    "content layer": "The layer of the network whose features the picture shall share with the "
    "content image: conv_1 is the first convolution, next to the pixels, conv_16 VGG-19's last.",
    "style layers": "The layers of the network whose statistics the picture shall share with the "
    "style image.",
    "seed": "The number from which the start's noise is drawn; runs that differ in it alone are "
    "repeats.",
    "standard deviation": "Over the seeds, with n − 1 in the denominator; written behind ±.",
    "rank correlation": "Spearman's: 1 where two numbers always rise together, −1 where one falls "
    "as the other rises, about 0 where they have nothing to do with each other.",
    "root mean square": "The root of the mean of the squared differences, here of pixels from 0 "
    "to 255 over red, green and blue.",
    "L-BFGS": "An optimiser that estimates curvature from its last steps; usual for pictures.",
    "backbone": "The frozen network that sees the pictures.",
    "white noise": "Every pixel drawn by itself: no structure at all.",
    "cannot say": "The runs are too few, too short or too small, or their pictures fail a check "
    "that they are pictures; they speak neither for the claim nor against it.",
}
_PLAIN = (
    *("time", "time per step", "memory", "restarts"),
    *("difference", "in brightness", "in colour"),
)
_PLURALS = {"Gram matrix": "Gram matrices", "seed": "seeds", "style layers": "style layer"}


def _all_words() -> dict[str, str]:
    """{word: explanation}; not of words that everybody knows, as time."""
    return {q.name: q.explanation for q in QUANTITIES if q.name not in _PLAIN} | _COMMON


@dataclass
class Words:
    """Marks words in the texts of one page, and remembers which it met.

    >>> words = Words({"PSNR": "Peak signal-to-noise ratio."})
    >>> print(words.mark("PSNR < 20"))
    <a class="word" href="#word-psnr">PSNR</a> &lt; 20
    >>> list(words.used())
    [('word-psnr', 'PSNR', 'Peak signal-to-noise ratio.')]
    """

    explanations: dict[str, str] = field(default_factory=_all_words)
    _met: set[str] = field(default_factory=set)

    def mark(self, text: object) -> Markup:
        """The text for HTML, with the first of each word as a link to its explanation."""
        parts, end, here = [], 0, set[str]()
        plain = str(text)
        for match in self._pattern.finditer(plain):
            word = self._word(match[0])
            if word not in here:
                here.add(word)
                link = f'<a class="word" href="#{_anchor(word)}">{escape(match[0])}</a>'
                parts += [escape(plain[end : match.start()]), Markup(link)]
                end = match.end()
        self._met |= here
        return Markup("").join([*parts, escape(plain[end:])])

    def link(self, text: str) -> str:
        """Where the first word of a text is explained, as ``#word-psnr``; empty without one."""
        match = self._pattern.search(text)
        if not match:
            return ""
        word = self._word(match[0])
        self._met.add(word)
        return f"#{_anchor(word)}"

    def used(self) -> Iterator[tuple[str, str, str]]:
        """(anchor, word, explanation) of every word met, also in explanations, by the alphabet."""
        waiting, words = list(self._met), set[str]()
        while waiting:
            word = waiting.pop()
            if word not in words:
                words.add(word)
                inside = self._pattern.finditer(self.explanations[word])
                waiting += [self._word(match[0]) for match in inside]
        for word in sorted(words, key=str.lower):
            yield _anchor(word), word, self.explanations[word]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self._words, key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.I)

    @cached_property
    def _words(self) -> dict[str, str]:
        """{form in small letters: the word}."""
        forms = {word.lower(): word for word in self.explanations}
        plurals = {p.lower(): word for word, p in _PLURALS.items() if word in self.explanations}
        return forms | plurals

    def _word(self, form: str) -> str:
        return self._words[form.lower()]


def _anchor(word: str) -> str:
    return "word-" + re.sub(r"\W+", "-", word.lower())
