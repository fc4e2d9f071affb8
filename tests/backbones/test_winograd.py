"""Convolutions with fewer products against the direct ones, and when they are taken."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.backbones import processor, winograd
from nst.backbones.load import load_backbone
from nst.backbones.winograd import F2, F4, Axis, Convolutions, Scratch, Transforms
from nst.gradients.chain import ChainGradient
from nst.gradients.engine import by_autograd
from nst.losses.objective import Objective
from nst.losses.terms import weighted_terms

TILES = [(F2, F2), (F2, F4), (F4, F4)]
SIZES = [(1, 1), (2, 5), (8, 8), (13, 9), (33, 46)]

# Weights, inputs, products and outputs of a tile are rounded, each by half a unit in the last place
# at most; the transforms carry that into the output so many times larger (the matrices' norms).
GROWTH = {(2, 2): 4.0, (2, 4): 8.0, (4, 4): 32.0}
HALF_UNIT = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.bfloat16: 2.0**-9}


def limit(rows: Axis, columns: Axis, dtype: torch.dtype) -> float:
    """The largest ratio allowed of the error's root mean square to the output's."""
    return GROWTH[rows.m, columns.m] * HALF_UNIT[dtype]


def drawn(*shape: int, dtype: torch.dtype, seed: int = 3) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    return values.to(memory_format=torch.channels_last) if len(shape) == 4 else values


def away(x: Tensor, exact: Tensor) -> float:
    return float((x.double() - exact).norm() / exact.norm())


@pytest.mark.parametrize("axis", [F2, F4])
def test_an_axis_by_its_definition(axis: Axis) -> None:
    a, b, g = (torch.tensor(m, dtype=torch.float64) for m in (axis.a, axis.b, axis.g))
    x, w = drawn(axis.m + 2, dtype=torch.float64), drawn(3, dtype=torch.float64, seed=4)
    outputs = a @ ((g @ w / axis.divisor) * (b @ x))
    torch.testing.assert_close(outputs, F.conv1d(x[None, None], w[None, None])[0, 0])
    torch.testing.assert_close(g @ w.flip(0), (g @ w)[list(axis.flip)])


@pytest.mark.parametrize(("rows", "columns"), TILES[:2])
def test_bfloat16_holds_the_matrices(rows: Axis, columns: Axis) -> None:
    half, exact = (Transforms(rows, columns, dtype) for dtype in (torch.bfloat16, torch.float64))
    assert torch.equal(half.inwards.double(), exact.inwards)
    assert torch.equal(half.outwards_bias.double(), exact.outwards_bias)


@pytest.mark.parametrize("dtype", HALF_UNIT)
@pytest.mark.parametrize(("rows", "columns"), TILES)
def test_it_is_the_convolution_and_its_backward_pass(
    rows: Axis, columns: Axis, dtype: torch.dtype
) -> None:
    if dtype == torch.bfloat16 and rows is F4:
        pytest.skip("its matrices are not exact in this format")
    scratch, near = Scratch(), limit(rows, columns, dtype)
    weight, bias = drawn(12, 8, 3, 3, dtype=dtype), drawn(12, dtype=dtype)
    transformed = winograd.transform_weights(weight, rows, columns)
    forwards, backwards = (Transforms(rows, columns, dtype, way) for way in (False, True))
    for (height, width), n in itertools.product(SIZES, (1, 2)):
        x, g = (drawn(n, c, height, width, dtype=dtype, seed=c) for c in (8, 12))
        exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
        y = winograd.convolve(x, transformed, forwards, scratch, bias)
        assert away(y, exact) < near
        assert y.dtype == dtype
        assert y.is_contiguous(memory_format=torch.channels_last)
        rectified = winograd.convolve(x, transformed, forwards, scratch, bias, relu=True)
        assert torch.equal(rectified, y.relu())
        gradient = winograd.convolve(g, transformed.transpose(1, 2), backwards, scratch)
        exact_gradient = F.conv_transpose2d(g.double(), weight.double(), padding=1)
        assert away(gradient, exact_gradient) < near


@pytest.mark.parametrize("shape", [(5, 4, 9, 14), (2, 4, 70, 90), (3, 4, 33, 9)])
def test_blocks_change_nothing(shape: tuple[int, ...]) -> None:
    """Blocks have 64 tiles at most here: several images in a block, or several blocks an image."""
    weight = drawn(4, 4, 3, 3, dtype=torch.float64)
    transformed = winograd.transform_weights(weight, F2, F4)
    x = drawn(*shape, dtype=torch.float64)
    outputs = winograd.convolve(x, transformed, Transforms(F2, F4, x.dtype), Scratch())
    torch.testing.assert_close(outputs, F.conv2d(x, weight, padding=1))


def with_flags(monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    monkeypatch.setattr(processor, "flags", lambda: frozenset(flags))


@pytest.mark.parametrize(
    ("channels", "side", "single", "half"),
    [
        ((3, 64), 64, False, False),  # conv_1
        ((64, 64), 64, False, False),
        ((64, 128), 64, True, False),
        ((128, 128), 16, True, False),
        ((128, 128), 15, False, False),
        ((128, 256), 64, True, False),
        ((256, 256), 64, True, True),
        ((256, 512), 32, True, True),
        ((512, 512), 8, False, False),
    ],
)
def test_where_it_pays(
    channels: tuple[int, int],
    side: int,
    single: bool,
    half: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_flags(monkeypatch, "avx512_bf16")
    conv = nn.Conv2d(*channels, 3, padding=1, device="meta")
    x = torch.empty(1, channels[0], side, side)
    assert winograd.pays(conv, x) == single
    assert winograd.pays(conv, x.bfloat16()) == half
    assert winograd.pays(conv, x.repeat(4, 1, 1, 1)) == single
    assert not winograd.pays(conv, x.double())
    assert not winograd.pays(conv, x.to("meta"))  # any device but the processor


def test_only_bfloat16_that_products_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    conv, x = nn.Conv2d(256, 256, 3, padding=1, device="meta"), torch.empty(1, 256, 16, 16)
    for flags in ((), ("avx512_bf16", "amx_bf16")):
        with_flags(monkeypatch, *flags)
        assert winograd.pays(conv, x)
        assert not winograd.pays(conv, x.bfloat16())


@pytest.mark.parametrize(
    "options",
    [{"kernel_size": 1}, {"stride": 2}, {"padding": 0}, {"dilation": 2}, {"groups": 2}],
)
def test_only_plain_convolutions(options: dict[str, int]) -> None:
    usual = {"kernel_size": 3, "padding": 1}
    conv = nn.Conv2d(128, 128, **{**usual, **options}, device="meta")  # type: ignore[arg-type]
    x = torch.empty(1, 128, 32, 32)
    assert not winograd.pays(conv, x)
    assert Convolutions().forward(conv, x) is None


def test_larger_tiles_where_the_rounding_allows() -> None:
    def outputs(channels: int, dtype: torch.dtype) -> tuple[int, int]:
        conv = nn.Conv2d(channels, channels, 3, padding=1, device="meta", dtype=dtype)
        rows, columns = winograd.axes(conv)
        return rows.m, columns.m

    assert outputs(128, torch.float32) == (4, 4)
    assert outputs(256, torch.bfloat16) == (2, 2)
    assert outputs(512, torch.bfloat16) == (2, 4)


def everywhere(conv: nn.Conv2d, x: Tensor) -> bool:
    return min(conv.in_channels, conv.out_channels) >= 16


@pytest.mark.parametrize(("n", "pooling"), [(1, "max"), (2, "avg")])
def test_the_gradient_is_autograds(n: int, pooling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "pays", everywhere)
    images = torch.rand(3 * n, 3, 38, 53, generator=torch.Generator().manual_seed(1))
    spec = weighted_terms({"relu_10": 1.0}, {"relu_1": 1.0, "relu_5": 1.0, "conv_9": 1.0})
    backbone = load_backbone("vgg19", "random", pooling)
    problem = Objective.of_pictures(backbone, spec, images[:n], images[n : 2 * n])
    terms, gradient = by_autograd(problem, images[2 * n :])
    own_terms, own_gradient = ChainGradient(problem)(images[2 * n :])
    torch.testing.assert_close(own_terms, terms, rtol=1e-3, atol=1e-6)
    assert away(own_gradient, gradient.double()) < 1e-2  # random filters amplify rounding


def test_bfloat16s_targets_are_made_so_too(
    picture: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rounding of transformed weights cancels as that of weights does."""
    monkeypatch.setattr(winograd, "pays", everywhere)
    backbone = load_backbone("vgg19_mini", "shipped", "avg").in_precision(torch.bfloat16)
    spec = weighted_terms({"relu_6": 1.0}, {"relu_1": 1.0, "relu_5": 1.0})
    terms, gradient = ChainGradient(Objective.of_pictures(backbone, spec, picture, picture))(
        picture
    )
    assert terms.abs().max() == 0
    assert gradient.abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_images_never_mix(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "pays", everywhere)
    backbone = load_backbone("vgg19_mini", "shipped", "avg").in_precision(dtype)
    images = torch.rand(4, 3, 26, 37, generator=torch.Generator().manual_seed(2))
    spec = weighted_terms({"relu_6": 1.0}, {"relu_2": 1.0, "relu_9": 1.0})
    evaluate = ChainGradient(Objective.of_pictures(backbone, spec, images[:1], images[1:2]))
    terms, gradient = evaluate(images[1:])
    for i in range(3):
        alone = evaluate(images[1 + i : 2 + i])
        assert away(terms[i], alone[0][0].double()) < 8 * HALF_UNIT[dtype]
        assert away(gradient[i], alone[1][0].double()) < 100 * HALF_UNIT[dtype]
