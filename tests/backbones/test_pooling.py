"""Pooling without aliases."""

import pytest
import torch
import torch.nn.functional as F

from nst.backbones.pooling import BlurPool2d, blur_pool, blur_pool_backward

SIZES = [(2, 2), (3, 5), (4, 4), (5, 4), (7, 12), (16, 9), (26, 37)]


@pytest.mark.parametrize("size", SIZES)
def test_it_is_a_mean_of_sixteen_with_borders_repeated(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8
    windows = F.pad(x, (1, 1, 1, 1), mode="replicate").unfold(2, 4, 2).unfold(3, 4, 2)
    expected = torch.einsum("nchwab,a,b->nchw", windows, weights, weights)
    torch.testing.assert_close(blur_pool(x), expected)
    assert blur_pool(x).shape[2:] == (size[0] // 2, size[1] // 2)


@pytest.mark.parametrize("size", SIZES)
def test_its_gradient_is_its_transpose(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, *size, dtype=torch.float64, generator=generator, requires_grad=True)
    pooled = BlurPool2d()(x)
    g = torch.rand(pooled.shape, dtype=torch.float64, generator=generator)
    (gradient,) = torch.autograd.grad(pooled, x, g)
    torch.testing.assert_close(gradient, blur_pool_backward(g, x.shape))
    torch.testing.assert_close((pooled.detach() * g).sum(), (x.detach() * gradient).sum())
    assert torch.autograd.gradcheck(BlurPool2d(), x, fast_mode=True)


def test_flat_pictures_stay_flat_both_ways() -> None:
    """Unlike with 2×2 means no grid can come of the backward pass."""
    x = torch.full((1, 4, 16, 24), 0.3)
    torch.testing.assert_close(blur_pool(x), torch.full((1, 4, 8, 12), 0.3))
    g = torch.full((1, 4, 8, 12), 1.0)
    torch.testing.assert_close(blur_pool_backward(g, x.shape), torch.full_like(x, 0.25))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_memory_stays_as_it_is(dtype: torch.dtype) -> None:
    x = torch.rand(2, 16, 20, 30).to(dtype, memory_format=torch.channels_last)
    assert blur_pool(x).is_contiguous(memory_format=torch.channels_last)
    assert blur_pool(x).dtype == dtype
