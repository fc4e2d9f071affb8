from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from experiments.backbone import narrowing
from experiments.backbone.narrowing import narrow, pivots, refit
from nst.backbones.load import build
from nst.backbones.network import Backbone
from tests.experiments.small_vgg import NARROW, WIDE, narrow_all, patches, random_vgg16

DEEP = ("relu_5", "relu_7", "relu_10", "relu_13")


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(autouse=True)
def few_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing, "_SAMPLES", 8000)


def errors(
    thin: Backbone, wide: Backbone, channels: dict[str, Tensor], images: Tensor
) -> dict[str, float]:
    """{layer: mean (S − T)² / mean T²}."""
    own, target = (network(images, DEEP) for network in (thin, wide))
    result = {}
    for layer in DEEP:
        chosen = target[layer][:, channels[layer.replace("relu", "conv")]]
        result[layer] = float((own[layer] - chosen).square().mean() / chosen.square().mean())
    return result


def test_a_network_narrowed_to_the_same_widths_computes_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(narrowing, "_RIDGE", 1e-8)
    narrow_all(monkeypatch, mini=WIDE)
    wide, thin = random_vgg16(), build("vgg16_mini", "avg")
    channels = narrow(wide, thin, patches("coffee"))
    assert all(torch.equal(chosen, torch.arange(len(chosen))) for chosen in channels.values())
    assert max(errors(thin, wide, channels, patches("swirl")).values()) < 1e-4


def test_a_narrowed_network_has_its_layout_and_follows_the_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    narrow_all(monkeypatch)
    first, again, other = (build("vgg16_mini", "avg") for _ in range(3))
    for network, seed in ((first, 0), (again, 0), (other, 1)):
        channels = narrow(random_vgg16(), network, patches("coffee", 32), seed)
    assert [len(channels[f"conv_{k}"]) for k in (1, 3, 5, 8, 11)] == list(NARROW)
    assert all(not parameter.requires_grad for parameter in first.parameters())
    for ours, same, different in zip(*(n.parameters() for n in (first, again, other)), strict=True):
        assert torch.equal(ours, same)
        assert not torch.equal(ours, different)


def test_refitting_makes_good_what_leaving_channels_out_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a picture that nothing was fitted to; half of the teacher's channels are nearly copies."""
    narrow_all(monkeypatch)
    wide, thin = random_vgg16(redundant=True), build("vgg16_mini", "avg")
    channels = narrow(wide, thin, patches("coffee"))
    refitted = errors(thin, wide, channels, patches("swirl"))
    selected = errors(selection(wide, channels), wide, channels, patches("swirl"))
    assert max(refitted.values()) < 0.1
    assert all(refitted[layer] < 0.5 * selected[layer] for layer in DEEP)


def selection(wide: Backbone, channels: dict[str, Tensor]) -> Backbone:
    """The teacher's own filters between the channels that stay."""
    before, state = torch.arange(3), {}
    for name, chosen in channels.items():
        conv = wide.chain[name]
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        state[f"{name}.weight"] = conv.weight[chosen][:, before]
        state[f"{name}.bias"] = conv.bias[chosen]
        before = chosen
    thin = build("vgg16_mini", "avg")
    thin.chain.load_state_dict(state, assign=True)
    return thin


def test_of_a_channel_and_its_copies_one_is_chosen() -> None:
    own = torch.rand(2, 3, 20, 20, generator=generator())
    silent = torch.zeros(2, 1, 20, 20)
    activations = torch.cat([own, 3 * own[:, :2], 0.01 * own[:, :1], silent], 1)
    chosen = pivots(activations, 3, generator()).tolist()
    assert {(0, 1, 2, 0, 1, 0)[channel] for channel in chosen} == {0, 1, 2}


def test_channels_that_are_combinations_of_the_chosen_are_not_chosen() -> None:
    own = torch.rand(1, 5, 40, 40, generator=generator())
    mixtures = torch.rand(6, 5, generator=generator())
    activations = torch.cat([own, torch.einsum("kc,nchw->nkhw", mixtures, own)], 1)
    chosen = pivots(activations, 5, generator())
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert torch.linalg.matrix_rank(activations[0, chosen].flatten(1), rtol=1e-4) == 5


def test_the_first_channel_is_the_one_that_explains_most() -> None:
    a, b = torch.rand(2, 1, 1, 60, 60, generator=generator())
    assert pivots(torch.cat([a, (a + b) / 2, b], 1), 1, generator()).tolist() == [1]


def test_refitting_finds_the_convolution_that_made_the_outputs() -> None:
    conv = nn.Conv2d(4, 6, 3, padding=1)
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator()))
        inputs = torch.randn(3, 4, 24, 16, generator=generator())
        weight, bias = refit(inputs, conv(inputs), generator())
    assert conv.bias is not None
    torch.testing.assert_close(weight, conv.weight.detach(), rtol=0.01, atol=0.01)
    torch.testing.assert_close(bias, conv.bias.detach(), rtol=0.01, atol=0.01)


def test_an_input_that_is_always_zero_gets_no_weight() -> None:
    inputs = torch.rand(2, 3, 16, 16, generator=generator())
    inputs[:, 1] = 0
    weight, bias = refit(inputs, inputs[:, :1], generator())
    assert weight[:, 1].abs().max() == 0
    assert torch.isfinite(weight).all()
    assert torch.isfinite(bias).all()
