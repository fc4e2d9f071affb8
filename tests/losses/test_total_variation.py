"""Total variation against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nst.errors import InputError
from nst.losses.total_variation import TotalVariation
from tests.losses.cases import value


def variation(loss: TotalVariation, images: Tensor) -> Tensor:
    return value(loss, images, images, None)


def test_by_hand() -> None:
    image = torch.tensor([[[[0.0, 1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]])
    # a (down): 2, 0 / −2, −1;  b (right): 1, −1 / −1, −1;  a²+b²: 5, 1, 5, 2
    assert variation(TotalVariation(), image).tolist() == [13.0]
    assert variation(TotalVariation(reduction="mean"), image).tolist() == [13 / 4]
    keras = sum(v**1.25 for v in (5, 1, 5, 2))
    assert variation(TotalVariation(beta=2.5), image).tolist() == pytest.approx([keras])


@pytest.mark.parametrize("beta", [1.0, 2.0, 2.5])
def test_a_flat_image_has_no_slope(beta: float) -> None:
    image = torch.full((1, 3, 5, 5), 0.3, requires_grad=True)
    (slope,) = torch.autograd.grad(variation(TotalVariation(beta), image).sum(), image)
    assert slope.abs().max() == 0


def test_a_line_has_none() -> None:
    line = torch.rand(2, 3, 1, 9)
    assert variation(TotalVariation(reduction="mean"), line).tolist() == [0, 0]


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_weights_of_0_leave_differences_out(reduction: str) -> None:
    """Each pixel's weight counts for its differences to the next row and to the next column."""
    loss, image = TotalVariation(reduction=reduction), torch.rand(1, 3, 6, 9)
    weights = torch.zeros(1, 1, 6, 9)
    weights[..., :3] = 1
    masked = loss.statistic(image, weights=weights)
    torch.testing.assert_close(masked, loss.statistic(image[..., :4]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 0}, "loss.pixels.tv.beta=0: expected 1 to 4"),
        ({"reduction": "men"}, "loss.pixels.tv.reduction=men: expected one of sum, mean; did you"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        TotalVariation(**options)  # type: ignore[arg-type]
    assert message in str(caught.value)
