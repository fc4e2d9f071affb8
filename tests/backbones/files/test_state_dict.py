"""The tar format of early torch, which torch itself reads only where it may execute files."""

from __future__ import annotations

import pickle
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch

from nst.backbones.files.state_dict import read_state
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
