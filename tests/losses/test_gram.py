"""Gram matrices against numbers worked out by hand and the published equations."""

from __future__ import annotations

import itertools

import pytest
import torch

from nst.errors import InputError
from nst.losses.gram import (
    NEIGHBORS,
    NORMALIZATIONS,
    Gram,
    gram_matrix,
    shifted_gram_matrices,
)
from nst.losses.layer_loss import LayerSize
from tests.losses.cases import SIZE, F, P, random_features, size_of, value


def test_gram_matrix_by_hand() -> None:
    expected = torch.tensor([[[6.0, 3.0], [3.0, 6.0]]]) / 4
    torch.testing.assert_close(gram_matrix(F), expected)


def test_gram_matrix_forgets_position() -> None:
    features = random_features(0)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    shuffled = features.flatten(2)[..., order].view_as(features)
    torch.testing.assert_close(gram_matrix(shuffled), gram_matrix(features))


def test_a_guided_gram_matrix_by_hand() -> None:
    """Only the left column counts, and its lower position three times."""
    weights = torch.tensor([[[[1.0, 0.0], [3.0, 0.0]]]])
    # F there: (1, 2) and (0, 1); 1·[[1, 2], [2, 4]] + 3·[[0, 0], [0, 1]], over 4
    expected = torch.tensor([[[1.0, 2.0], [2.0, 7.0]]]) / 4
    torch.testing.assert_close(gram_matrix(F, weights=weights), expected)


def test_shifted_gram_matrices_are_sums_over_pairs() -> None:
    features, shift = random_features(1), torch.tensor([[0.5, -1.0, 0.2]], dtype=torch.float64)
    matrices = shifted_gram_matrices(features, shift)
    torch.testing.assert_close(matrices[:, 0], gram_matrix(features, shift))
    n, c, h, w = features.shape
    centered = features - shift[..., None, None]
    for place, (down, right) in enumerate(NEIGHBORS):
        expected = torch.zeros(n, c, c, dtype=torch.float64)
        for y, x in itertools.product(range(h), range(w)):
            if y + down < h and 0 <= x + right < w:
                neighbor = centered[:, None, :, y + down, x + right]
                expected += centered[:, :, y, x][..., None] * neighbor
        torch.testing.assert_close(matrices[:, 1 + place], expected / (h * w))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_shifted_gram_matrices_of_strips_add_up(dtype: torch.dtype) -> None:
    features = random_features(2, h=60, w=17).to(dtype, memory_format=torch.channels_last)
    exact = shifted_gram_matrices(features.double())
    whole = shifted_gram_matrices(features)
    together = torch.zeros_like(whole)
    for a, b in [(0, 7), (7, 40), (40, 60)]:
        part = shifted_gram_matrices(features[:, :, a : b + 1], rows=b - a)
        together += (b - a) / 60 * part
    assert whole.dtype == (torch.float32 if dtype == torch.bfloat16 else dtype)
    near = 1e-12 if dtype == torch.float64 else 2e-3
    for matrices in (whole, together):
        torch.testing.assert_close(matrices.double(), exact, rtol=0, atol=near)


BY_HAND = {
    # Σ(FFᵀ−PPᵀ)² = 0+9+9+36 = 54; over M² = 16: 3.375
    "gatys": 54 / (4 * 2**2 * 4**2),
    "mean": 54 / 4 / (2 * 4) ** 2,
    "chollet": 54 / (4 * 3**2 * 16**2),
    # Σ(PPᵀ)² = 36+36+36+144 = 252
    "relative": 54 / 252,
}


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_every_normalization_by_hand(normalization: str) -> None:
    loss = value(Gram(normalization), F, P, SIZE)
    assert loss.tolist() == pytest.approx([BY_HAND[normalization]])


def test_gatys_is_a_quarter_c_squared_of_the_mean_squared_error() -> None:
    """E = C²/4 · MSE(G/(C·M), A/(C·M)) when M = M_A, written out here from raw Gram matrices."""
    f, p = random_features(1), random_features(2)
    c, m = 3, 20
    raw_g = f.flatten(2) @ f.flatten(2).transpose(1, 2)
    raw_a = p.flatten(2) @ p.flatten(2).transpose(1, 2)
    paper = (raw_g - raw_a).square().sum() / (4 * c**2 * m**2)  # eq. 4
    mse = torch.nn.functional.mse_loss(raw_g / (c * m), raw_a / (c * m))
    torch.testing.assert_close(paper, c**2 / 4 * mse)
    assert value(Gram("gatys"), f, p, None).item() == pytest.approx(paper.item())
    assert value(Gram("mean"), f, p, None).item() == pytest.approx(mse.item())


def test_the_notebooks_factor_is_the_mean() -> None:
    """(1/C²) · mean((G/M − A/M_A)²) = MSE(G/(C M), A/(C M_A)), also for images of two sizes."""
    f, p = random_features(3), random_features(4, h=7, w=3)
    g = f.flatten(2) @ f.flatten(2).transpose(1, 2) / 20
    a = p.flatten(2) @ p.flatten(2).transpose(1, 2) / 21
    notebook = (g - a).square().mean() / 3**2
    assert value(Gram("mean"), f, p, None).item() == pytest.approx(notebook.item())


def test_its_gradient_is_equation_6_of_the_paper() -> None:
    """∂E/∂F = 1/(C² M²) · (Fᵀ(G − A))ᵀ where F > 0, and 0 where F < 0; raw Gram matrices."""
    x, p = random_features(7).requires_grad_(), random_features(8).relu()
    c, m = 3, 20
    f = torch.relu(x)
    torch.autograd.backward(value(Gram("gatys"), f, p, LayerSize(c, m, m)).sum())
    flat = f.detach().flatten(2)
    raw = m * (gram_matrix(f.detach()) - gram_matrix(p))
    expected = (raw @ flat).view_as(x) / (c**2 * m**2)
    torch.testing.assert_close(x.grad, torch.where(x.detach() > 0, expected, 0.0))


def test_relative_does_not_depend_on_the_features_scale() -> None:
    f, p, loss = random_features(15), random_features(16), Gram("relative")
    assert value(loss, 50 * f, 50 * p, None).item() == pytest.approx(value(loss, f, p, None).item())
    assert value(loss, 0 * f, p, None).item() == pytest.approx(1.0)


def test_a_shift_by_the_means_leaves_the_covariance() -> None:
    f = random_features(17, n=2, c=5, h=6, w=7) + 3
    gram = gram_matrix(f, f.mean((2, 3)))
    for one, image in zip(gram, f, strict=True):
        torch.testing.assert_close(one, torch.cov(image.flatten(1), correction=0))


def test_a_shift_costs_bfloat16_no_digits() -> None:
    """Taken off before the product: what remains is not the difference of two large sums."""
    f = (random_features(18, c=8, h=40, w=40) * 0.1 + 5).bfloat16()
    shift = f.float().mean((2, 3)).bfloat16()  # rounded alike for the style and the image
    exact = gram_matrix(f.double(), shift.double())
    half = gram_matrix(f, shift.float())
    assert float((half - exact).norm() / exact.norm()) < 0.02


def test_the_shift_is_a_share_of_the_styles_own_means_and_counts_for_the_image_too() -> None:
    loss = Gram(activation_shift=0.5)
    f, p = random_features(19, n=2) + 1, random_features(20, n=2) - 1
    target, shift = loss.target(p), 0.5 * p.mean((2, 3))
    torch.testing.assert_close(target.reference[0], shift)
    torch.testing.assert_close(target.statistic[:, 0], gram_matrix(p, shift))
    statistic = loss.statistic(f, target.reference)
    torch.testing.assert_close(statistic[:, 0], gram_matrix(f, shift))


def test_neighbors_take_their_share_of_the_loss() -> None:
    f, p = random_features(21, h=8, w=9), random_features(22, h=8, w=9)

    def error(share: float) -> float:
        return value(Gram(shifted_gram_share=share), f, p, None).item()

    assert error(0.3) == pytest.approx(0.7 * error(0) + 0.3 * error(1))


def test_neighbors_tell_a_picture_from_its_mirror_image() -> None:
    """Which way strokes lean is a matter of two positions; a Gram matrix knows one."""
    p = random_features(23, h=8, w=9)
    assert value(Gram(), p.flip(3), p, None).item() == pytest.approx(0, abs=1e-12)
    assert value(Gram(shifted_gram_share=0.5), p.flip(3), p, None).item() > 1e-4


def test_a_style_of_one_position_leaves_no_infinite_loss() -> None:
    loss = Gram("relative", shifted_gram_share=0.7)
    image, larger = random_features(21, h=1, w=1), random_features(22, h=3, w=3)
    style = random_features(23, h=1, w=1)
    assert value(loss, image, style, None).isfinite().all()
    assert value(loss, larger, style, None).item() < 1e3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalization": "chollt"}, "loss.style.normalization=chollt: expected one of gatys"),
        ({"normalization": "chollt"}, "did you mean chollet?"),
        ({"activation_shift": 1.5}, "loss.style.activation_shift=1.5: expected 0 to 1"),
        ({"shifted_gram_share": -1}, "loss.style.shifted_gram_share=-1: expected 0 to 1"),
        ({"shifted_gram_share": float("nan")}, "loss.style.shifted_gram_share=nan"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Gram(**options)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_the_size_of_a_layer_decides_chollets_factor() -> None:
    f, p = random_features(24), random_features(25)
    near, far = (value(Gram("chollet"), f, p, size_of(f, pixels)).item() for pixels in (20, 40))
    assert near == pytest.approx(4 * far)
