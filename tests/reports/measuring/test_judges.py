from __future__ import annotations

import math

import numpy as np
import pytest

from nst.pictures.samples import load_image
from nst.reports.measuring.judges import (
    feature_correlation,
    gram_distance,
    rank_correlation,
    reference_network,
)


def test_the_style_itself_has_no_distance_and_another_picture_the_largest() -> None:
    style, other = load_image("swirl", 48), load_image("coffee", 48)
    network = reference_network()
    near, far = (gram_distance(network, image, style) for image in (0.98 * style, other))
    assert gram_distance(network, style, style) == 0
    assert 0 < near < far


def test_a_picture_keeps_all_of_itself_and_less_of_another() -> None:
    content, other = load_image("coffee", 48), load_image("coffee", 48).flip(3)
    kept = [
        feature_correlation(reference_network(), image, content, "relu_5")
        for image in (content, 0.98 * content, other)
    ]
    assert kept[0] == pytest.approx(1)
    assert 1 > kept[1] > 0.9 > kept[2] > -1


def test_rank_correlation_is_of_the_order_alone() -> None:
    assert rank_correlation([1, 2, 3], [1.0, 10.0, 100.0]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], list(-np.exp([1.0, 2.0, 3.0]))) == pytest.approx(-1)
    assert math.isnan(rank_correlation([1], [1.0]))
