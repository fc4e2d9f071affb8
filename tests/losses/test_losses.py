"""Losses against numbers worked out by hand, published equalities and closed-form gradients."""

from __future__ import annotations

import itertools

import pytest
import torch
from nst.losses.losses import LayerSize
from torch import Tensor

from nst.losses import losses

# Two channels, four positions, small whole numbers.
F = torch.tensor([[[[1.0, 2.0], [0.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]]]])  # (1, 2, 2, 2)
P = torch.tensor([[[[0.0, 2.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 3.0]]]])
# F Fᵀ = [[6, 3], [3, 6]]; P Pᵀ = [[6, 6], [6, 12]]
SIZE = LayerSize(channels=2, positions=4, pixels=16)


def random_features(seed: int, n: int = 1, c: int = 3, h: int = 4, w: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, c, h, w, generator=generator, dtype=torch.float64)


def test_gram_matrix_by_hand() -> None:
    expected = torch.tensor([[[6.0, 3.0], [3.0, 6.0]]]) / 4
    torch.testing.assert_close(losses.gram_matrix(F), expected)


def test_gram_matrix_forgets_position() -> None:
    features = random_features(0)
    shuffled = features.flatten(2)[..., torch.randperm(20)].view_as(features)
    torch.testing.assert_close(losses.gram_matrix(shuffled), losses.gram_matrix(features))


def test_gram_matrices_with_neighbours_are_sums_over_pairs() -> None:
    features, shift = random_features(1), torch.tensor([[0.5, -1.0, 0.2]], dtype=torch.float64)
    found = losses.gram_matrices(features, shift)
    torch.testing.assert_close(found[:, 0], losses.gram_matrix(features, shift))
    n, c, h, w = features.shape
    away = features - shift[..., None, None]
    for place, (down, right) in enumerate(losses.NEIGHBOURS):
        expected = torch.zeros(n, c, c, dtype=torch.float64)
        for y, x in itertools.product(range(h), range(w)):
            if y + down < h and 0 <= x + right < w:
                there = away[:, None, :, y + down, x + right]
                expected += away[:, :, y, x][..., None] * there
        torch.testing.assert_close(found[:, 1 + place], expected / (h * w))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_neighbours_by_strips_of_rows_add_up(dtype: torch.dtype) -> None:
    features = random_features(2, h=60, w=17).to(dtype, memory_format=torch.channels_last)
    whole = losses.gram_matrices(features)
    cuts = [(0, 7), (7, 40), (40, 60)]
    parts = [(b - a) / 60 * losses.gram_matrices(features, rows=(a, b)) for a, b in cuts]
    exact = losses.gram_matrices(features.double())
    assert whole.dtype == (torch.float32 if dtype == torch.bfloat16 else dtype)
    together = torch.stack(parts).sum(0)
    for found in (whole, together):
        torch.testing.assert_close(found.double(), exact, rtol=0, atol=2e-3)
    if dtype == torch.float64:
        torch.testing.assert_close(together, whole)


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        # Σ(F−P)² = 1+0+1+0 + 1+1+0+4 = 8
        ("half_sum", 4.0),
        ("sum", 8.0),
        ("mean", 1.0),
        ("quarter_mean", 0.25),
        # P has mean 10/8 and Σ P² = 18, so variance 18/8 − (10/8)² = 0.6875
        ("relative", 1.0 / 0.6875),
    ],
)
def test_content_loss_by_hand(convention: str, expected: float) -> None:
    assert losses.content_loss(F, P, convention).tolist() == pytest.approx([expected])


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        # Σ(FFᵀ−PPᵀ)² = 0+9+9+36 = 54; over M² = 16: 3.375
        ("gatys", 54 / (4 * 2**2 * 4**2)),
        ("mean", 54 / 4 / (2 * 4) ** 2),
        ("chollet", 54 / (4 * 3**2 * 16**2)),
        # Σ(PPᵀ)² = 36+36+36+144 = 252
        ("relative", 54 / 252),
    ],
)
def test_style_loss_by_hand(convention: str, expected: float) -> None:
    g, a = losses.gram_matrix(F), losses.gram_matrix(P)
    assert losses.style_loss(g, a, SIZE, convention).tolist() == pytest.approx([expected])


def test_every_convention_has_a_hand_computed_number() -> None:
    content = {case[0] for case in _cases(test_content_loss_by_hand)}
    style = {case[0] for case in _cases(test_style_loss_by_hand)}
    assert content == set(losses.CONTENT_FACTORS)
    assert style == set(losses.STYLE_FACTORS)


def _cases(test: object) -> list[tuple[str, float]]:
    (mark,) = test.pytestmark  # type: ignore[attr-defined]
    return list(mark.args[1])


def test_gatys_is_a_quarter_c_squared_of_the_mean_squared_error() -> None:
    """E = C²/4 · MSE(G/(C·M), A/(C·M)) when M = M_A, written out here from raw Gram matrices."""
    f, p = random_features(1), random_features(2)
    c, m = 3, 20
    raw_g = f.flatten(2) @ f.flatten(2).transpose(1, 2)
    raw_a = p.flatten(2) @ p.flatten(2).transpose(1, 2)
    paper = (raw_g - raw_a).square().sum() / (4 * c**2 * m**2)  # eq. 4
    mse = torch.nn.functional.mse_loss(raw_g / (c * m), raw_a / (c * m))
    torch.testing.assert_close(paper, c**2 / 4 * mse)
    ours = losses.style_loss(
        losses.gram_matrix(f), losses.gram_matrix(p), LayerSize(c, m, m), "gatys"
    )
    assert ours.item() == pytest.approx(paper.item())
    tutorial = losses.style_loss(
        losses.gram_matrix(f), losses.gram_matrix(p), LayerSize(c, m, m), "mean"
    )
    assert 1e6 * tutorial.item() == pytest.approx(1e6 * 4 * paper.item() / c**2)


def test_the_notebooks_factor_is_the_mean_convention() -> None:
    """(1/C²) · mean((G/M − A/M_A)²) = MSE(G/(C M), A/(C M_A)), also for images of two sizes."""
    f, p = random_features(3), random_features(4, h=7, w=3)
    g = f.flatten(2) @ f.flatten(2).transpose(1, 2) / 20
    a = p.flatten(2) @ p.flatten(2).transpose(1, 2) / 21
    notebook = (g - a).square().mean() / 3**2
    size = LayerSize(3, 20, 20)
    ours = losses.style_loss(losses.gram_matrix(f), losses.gram_matrix(p), size, "mean")
    assert ours.item() == pytest.approx(notebook.item())


def test_content_gradient_is_equation_2_of_the_paper() -> None:
    """∂L/∂F = F − P where F > 0, and 0 where F < 0; F = ReLU(x)."""
    x, p = random_features(5).requires_grad_(), random_features(6).relu()
    torch.autograd.backward(losses.content_loss(torch.relu(x), p, "half_sum").sum())
    f = x.detach().relu()
    torch.testing.assert_close(x.grad, torch.where(x.detach() > 0, f - p, 0.0))


def test_style_gradient_is_equation_6_of_the_paper() -> None:
    """∂E/∂F = 1/(C² M²) · (Fᵀ(G − A))ᵀ where F > 0, and 0 where F < 0; raw Gram matrices."""
    x, p = random_features(7).requires_grad_(), random_features(8).relu()
    c, m = 3, 20
    f = torch.relu(x)
    gram, target = losses.gram_matrix(f), losses.gram_matrix(p)
    torch.autograd.backward(losses.style_loss(gram, target, LayerSize(c, m, m), "gatys").sum())
    flat = f.detach().flatten(2)
    raw = m * (gram.detach() - target)
    expected = (raw @ flat).view_as(x) / (c**2 * m**2)
    torch.testing.assert_close(x.grad, torch.where(x.detach() > 0, expected, 0.0))


@pytest.mark.parametrize("convention", sorted(losses.STYLE_FACTORS))
def test_style_gradient_follows_from_the_factor(convention: str) -> None:
    """∂/∂F of k Σ(G−A)² is 4k/M · (G−A) F, for every convention."""
    f, p = random_features(9, n=2).requires_grad_(), random_features(10, n=2)
    size = LayerSize(3, 20, 64)
    target = losses.gram_matrix(p)
    torch.autograd.backward(
        losses.style_loss(losses.gram_matrix(f), target, size, convention).sum()
    )
    k = losses.STYLE_FACTORS[convention](target, size).double().view(2, 1, 1)
    flat = f.detach().flatten(2)
    expected = 4 * k / 20 * (losses.gram_matrix(f.detach()) - target) @ flat
    torch.testing.assert_close(f.grad, expected.view_as(f), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("convention", sorted(losses.CONTENT_FACTORS))
def test_content_gradient_follows_from_the_factor(convention: str) -> None:
    f, p = random_features(11, n=2).requires_grad_(), random_features(12, n=2)
    torch.autograd.backward(losses.content_loss(f, p, convention).sum())
    k = losses.CONTENT_FACTORS[convention](p).double().view(2, 1, 1, 1)
    torch.testing.assert_close(f.grad, 2 * k * (f.detach() - p), rtol=1e-6, atol=1e-9)


def test_each_image_of_a_batch_has_its_own_loss() -> None:
    f, p = random_features(13, n=3), random_features(14)
    together = losses.content_loss(f, p, "relative")
    alone = torch.cat([losses.content_loss(one[None], p, "relative") for one in f])
    torch.testing.assert_close(together, alone)
    grams, target = losses.gram_matrix(f), losses.gram_matrix(p)
    size = LayerSize(3, 20, 20)
    together = losses.style_loss(grams, target, size, "gatys")
    alone = torch.cat([losses.style_loss(g[None], target, size, "gatys") for g in grams])
    torch.testing.assert_close(together, alone)


def test_total_variation_by_hand() -> None:
    image = torch.tensor([[[[0.0, 1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]])
    # a (down): 2, 0 / −2, −1;  b (right): 1, −1 / −1, −1;  a²+b²: 5, 1, 5, 2
    assert losses.total_variation(image).tolist() == [13.0]
    assert losses.total_variation(image, reduction="mean").tolist() == [13 / 4]
    keras = sum(v**1.25 for v in (5, 1, 5, 2))
    assert losses.total_variation(image, beta=2.5).tolist() == pytest.approx([keras])


def test_total_variation_of_a_flat_image_has_no_slope() -> None:
    for beta in (1.0, 2.0, 2.5):
        image = torch.full((1, 3, 5, 5), 0.3, requires_grad=True)
        (slope,) = torch.autograd.grad(losses.total_variation(image, beta).sum(), image)
        assert slope.abs().max() == 0


def test_total_variation_of_a_line_is_nothing() -> None:
    assert losses.total_variation(torch.rand(2, 3, 1, 9), reduction="mean").tolist() == [0, 0]


def test_relative_style_does_not_depend_on_the_features_scale() -> None:
    f, p = random_features(15), random_features(16)
    size = LayerSize(3, 20, 20)

    def loss(scale: float) -> float:
        g, a = losses.gram_matrix(scale * f), losses.gram_matrix(scale * p)
        return losses.style_loss(g, a, size, "relative").item()

    assert loss(1.0) == pytest.approx(loss(50.0))
    assert losses.style_loss(
        torch.zeros(1, 3, 3), losses.gram_matrix(p), size, "relative"
    ).item() == pytest.approx(1.0)


def test_a_shift_by_the_means_leaves_the_covariance() -> None:
    f = torch.randn(2, 5, 6, 7, dtype=torch.float64) + 3
    gram = losses.gram_matrix(f, f.mean((2, 3)))
    for one, image in zip(gram, f, strict=True):
        torch.testing.assert_close(one, torch.cov(image.flatten(1), correction=0))


def test_a_shift_costs_bfloat16_no_digits() -> None:
    """Taken off before the product: what remains is not the difference of two large sums."""
    f = (torch.randn(1, 8, 40, 40) * 0.1 + 5).bfloat16()
    shift = f.float().mean((2, 3)).bfloat16()  # rounded alike for the style and the image
    wanted = losses.gram_matrix(f.double(), shift.double())
    found = losses.gram_matrix(f, shift.float())
    assert float((found - wanted).norm() / wanted.norm()) < 0.02
