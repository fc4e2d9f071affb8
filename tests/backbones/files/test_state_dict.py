"""State dicts: the tar format of early torch, which torch itself reads only where it may execute
files, and filters in 8 bits.
"""

from __future__ import annotations

import pickle
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from nst.backbones.files.state_dict import dequantized, quantized, read_state
from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone
from nst.errors import InputError
from tests.backbones.caffe_files import ordered, save_tar

STATE = ordered(
    {
        "features.0.weight": torch.arange(54.0).view(2, 3, 3, 3),
        "features.0.bias": torch.tensor([0.5, -1.0]),
        "features.2.weight": torch.linspace(-1, 1, 8).view(2, 4),
    }
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of tarfile, in torch
def test_a_tar_is_read_as_torch_reads_it(tmp_path: Path) -> None:
    save_tar(STATE, tmp_path / "w.pth")
    with pytest.raises(RuntimeError, match="weights_only"):
        torch.load(tmp_path / "w.pth", weights_only=True)
    theirs = torch.load(tmp_path / "w.pth", weights_only=False)
    for state in (theirs, read_state(tmp_path / "w.pth")):
        assert list(state) == list(STATE)
        for key, tensor in STATE.items():
            assert torch.equal(state[key], tensor)


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("pwned"),))


def test_a_tar_is_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_tar({**STATE, "features.1.weight": Malicious()}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="no readable state dict: it asks for") as caught:
        read_state(tmp_path / "w.pth")
    assert "\n" not in str(caught.value)
    assert not Path("pwned").exists()


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_half_a_tar_is_refused(tmp_path: Path, kept: float) -> None:
    save_tar(STATE, tmp_path / "whole.pth")
    content = (tmp_path / "whole.pth").read_bytes().rstrip(b"\0")
    (tmp_path / "w.pth").write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match="no readable state dict"):
        read_state(tmp_path / "w.pth")


def test_a_tar_of_something_else_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "w.pth", "w") as tar:
        (tmp_path / "notes").write_bytes(pickle.dumps("hello"))
        tar.add(tmp_path / "notes", "notes")
    with pytest.raises(InputError, match="no readable state dict"):
        read_state(tmp_path / "w.pth")


# --- filters in 8 bits ---------------------------------------------------------------------------


def torchvision_state(backbone: Backbone) -> dict[str, torch.Tensor]:
    """The features under torchvision's keys."""
    return {
        f"{i}.{key}": value
        for i, module in enumerate(backbone.chain.values())
        for key, value in module.state_dict().items()
    }


def test_a_quantized_filter_is_off_by_half_a_step_of_its_scale_at_most() -> None:
    weight = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    weight *= torch.tensor([1.0, 1e-3, 50.0, 0.0, 1e-8]).view(-1, 1, 1, 1)
    state = quantized({"0.weight": weight, "0.bias": torch.arange(5.0)})
    assert state["0.weight"].dtype == torch.int8
    assert state["0.weight.scale"].shape == (5,)
    again = dequantized(state)
    assert again.keys() == {"0.weight", "0.bias"}
    step = weight.abs().amax((1, 2, 3), keepdim=True) / 127
    assert ((again["0.weight"] - weight).abs() <= 0.5001 * step).all()
    assert torch.equal(again["0.weight"].abs().amax((1, 2, 3)) > 0, torch.arange(5) != 3)
    assert torch.equal(again["0.bias"], torch.arange(5.0))


@pytest.mark.slow
def test_a_quantized_file_fills_a_network(tmp_path: Path) -> None:
    backbone = load_backbone("squeezenet1_0", "random")
    state = torchvision_state(backbone)
    file = tmp_path / "w.safetensors"
    save_file(quantized(state), file)
    assert file.stat().st_size < 0.3 * sum(4 * value.numel() for value in state.values())
    loaded = load_backbone("squeezenet1_0", str(file))
    for ours, theirs in zip(loaded.parameters(), backbone.parameters(), strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).abs().max() <= theirs.abs().max() / 250


@pytest.mark.parametrize(
    "state",
    [
        {"0.weight": torch.ones(2, 3, 3, 3), "0.bias": torch.ones(2)},
        {"norm.scale": torch.ones(2), "norm.bias": torch.ones(2)},
        {"0.weight": torch.ones(2, 3, 3, 3), "0.weight.scale": torch.full((2,), 5.0)},
        {"0.weight": torch.ones(2, 3, 3, 3, dtype=torch.int8), "0.weight.scale": torch.ones(4)},
    ],
    ids=["plain", "a layer's own scale", "not in 8 bits", "scales of other filters"],
)
def test_other_state_dicts_are_left_alone(state: dict[str, torch.Tensor]) -> None:
    again = dequantized(state)
    assert again.keys() == state.keys()
    assert all(again[key] is value for key, value in state.items())


def test_scales_of_other_filters_are_named(tmp_path: Path) -> None:
    state = torchvision_state(load_backbone("squeezenet1_0", "random"))
    save_file({**quantized(state), "0.weight.scale": torch.ones(3)}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"also has features\.0\.weight\.scale"):
        load_backbone("squeezenet1_0", str(tmp_path / "w.safetensors"))
