from __future__ import annotations

from nst.reports.wording.words import Words


def test_the_first_of_each_word_is_linked_to_its_explanation() -> None:
    words = Words()
    text = words.mark("PSNR and SSIM; PSNR <b>")
    assert text.count('href="#word-psnr"') == 1
    assert text.count('href="#word-ssim"') == 1
    assert "PSNR &lt;b&gt;" in text


def test_words_are_whole_and_plurals_count() -> None:
    words = Words()
    assert "<a" not in words.mark("PSNRs in unseeded reseeds")
    assert '#word-gram-matrix">Gram matrices</a>' in words.mark("Gram matrices")
    assert '#word-content-layer">Content layer</a>' in words.mark("Content layer conv_1")


def test_words_of_explanations_are_explained_too() -> None:
    words = Words()
    words.mark("style distance")
    assert [word for _, word, _ in words.used()] == ["Gram matrix", "style distance"]


def test_a_heading_is_linked_by_its_word() -> None:
    words = Words()
    assert words.link("SSIM") == "#word-ssim"
    assert words.link("restarts") == ""
    assert [word for _, word, _ in words.used()] == ["SSIM"]
