"""The content loss against numbers worked out by hand and the published equation."""

from __future__ import annotations

import pytest
import torch

from nst.backbones.network import Backbone
from nst.errors import InputError
from nst.losses.features import NORMALIZATIONS, Features
from nst.losses.objective import Objective
from nst.losses.terms import weighted_terms
from tests.losses.cases import SIZE, F, P, random_features, value

BY_HAND = {
    # Σ(F−P)² = 1+0+1+0 + 1+1+0+4 = 8
    "half_sum": 4.0,
    "sum": 8.0,
    "mean": 1.0,
    "quarter_mean": 0.25,
    # P has mean 10/8 and Σ P² = 18, so variance 18/8 − (10/8)² = 0.6875
    "relative": 1.0 / 0.6875,
}


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_every_normalization_by_hand(normalization: str) -> None:
    loss = value(Features(normalization), F, P, SIZE)
    assert loss.tolist() == pytest.approx([BY_HAND[normalization]])


def test_its_gradient_is_equation_2_of_the_paper() -> None:
    """∂L/∂F = F − P where F > 0, and 0 where F < 0; F = ReLU(x)."""
    x, p = random_features(5).requires_grad_(), random_features(6).relu()
    torch.autograd.backward(value(Features("half_sum"), torch.relu(x), p, None).sum())
    f = x.detach().relu()
    torch.testing.assert_close(x.grad, torch.where(x.detach() > 0, f - p, 0.0))


def test_content_at_the_input_is_about_pixels(mini: Backbone, picture: torch.Tensor) -> None:
    terms = weighted_terms({"input": 1.0}, content=Features("mean"))
    objective = Objective.of_pictures(mini, terms, picture)
    assert objective(picture + 0.1)[0, 0].item() == pytest.approx(0.01, rel=1e-4)


def test_an_unknown_normalization_is_refused_under_its_key() -> None:
    with pytest.raises(InputError, match=r"loss\.content\.normalization=men: .*did you mean mean"):
        Features("men")
