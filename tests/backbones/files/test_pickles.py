"""Weights files that lie: code, sizes beyond the file's own, files that are cut off or changed."""

from __future__ import annotations

import io
import json
import pickle
import random
import resource
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from nst.backbones.files.state_dict import read_state
from nst.errors import InputError
from tests.backbones.caffe_files import ordered, save_tar

STATE = {
    "features.0.weight": torch.linspace(-1, 1, 2 * 27).view(2, 3, 3, 3),
    "features.0.bias": torch.tensor([0.5, -1.0]),
    "features.1.weight": torch.ones(4, 2, dtype=torch.bfloat16),
}


def save_zip(state: Any, path: Path) -> None:
    torch.save(state, path)


def save_legacy(state: Any, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


def save_safetensors(state: Any, path: Path) -> None:
    save_file(state, path)


def save_tarred(state: Any, path: Path) -> None:
    save_tar(ordered({key: value.float() for key, value in state.items()}), path)


WRITERS: list[Callable[[Any, Path], None]] = [save_zip, save_legacy, save_safetensors, save_tarred]
writers = pytest.mark.parametrize("save", WRITERS, ids=lambda save: save.__name__[5:])


def refusal(path: Path) -> str:
    """The one line with which a file is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as caught:
            read_state(path)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert str(path) in text
    return text


@writers
def test_every_format_is_read_whatever_the_file_is_called(
    save: Callable[[Any, Path], None], tmp_path: Path
) -> None:
    save(STATE, tmp_path / "weights")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state = read_state(tmp_path / "weights")
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[key].float(), STATE[key].float()) for key in STATE)


@writers
@pytest.mark.parametrize("kept", [0.05, 0.3, 0.6, 0.95])
def test_what_is_cut_off_is_refused(
    save: Callable[[Any, Path], None], kept: float, tmp_path: Path
) -> None:
    save(STATE, tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes().rstrip(b"\0")
    (tmp_path / "w.pth").write_bytes(content[: int(kept * len(content))])
    assert "no readable state dict" in refusal(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"\n <!DOCTYPE html><html>Sign in</html>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"not weights", "nothing that torch.save or safetensors writes"),
        (b"\x89PNG\r\n\x1a\n" + 99 * b"\0", "nothing that torch.save or safetensors writes"),
        (b"PK\x03\x04broken", "cut off or damaged"),
        (pickle.dumps({"a": 1}), "no readable state dict"),
    ],
)
def test_other_files_are_named_for_what_they_are(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    assert message in refusal(tmp_path / "w.pth")


# --- code ----------------------------------------------------------------------------------------


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("pwned"),))


class Hungry:
    """Asks torch's own unpickler, which allows this one, for a hundred gigabytes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (bytearray, (10**11,))


class Evaluating:
    def __reduce__(self) -> tuple[Any, ...]:
        return (eval, ("open('pwned', 'w')",))


@pytest.mark.parametrize("save", [save_zip, save_legacy, save_tar], ids=["zip", "legacy", "tar"])
@pytest.mark.parametrize("intruder", [Malicious(), Evaluating(), Hungry()])
def test_code_is_never_executed(
    save: Callable[[Any, Path], None],
    intruder: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    save({**STATE, "features.2.weight": intruder} if save is not save_tar else intruder, Path("w"))
    assert "which no state dict needs" in refusal(Path("w"))
    assert not Path("pwned").exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_newer_pickles_hide_nothing(
    protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Malicious()}, Path("w"), pickle_protocol=protocol)
    assert "which no state dict needs" in refusal(Path("w"))
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    "name",
    [
        *("builtins eval", "os system", "posix system", "nt system", "subprocess Popen"),
        *("torch load", "torch.serialization load", "torch.hub load", "torch.jit load"),
        *("collections OrderedDict.fromkeys", "torch FloatTensor.__setstate__", "torch _C"),
        *("torch.utils.data._utils.signal_handling os.system", "builtins getattr"),
        *("collections namedtuple", "torch._utils _rebuild_wrapper_subclass", "torch Tensor"),
    ],
)
def test_no_name_leads_out_of_a_tar(name: str, tmp_path: Path) -> None:
    whole = b"\x80\x02c" + name.replace(" ", "\n").encode() + b"\n(tR."
    save_tarred(STATE, tmp_path / "w")
    replace_member(tmp_path / "w", "pickle", whole)
    assert "which no state dict needs" in refusal(tmp_path / "w")


def replace_member(path: Path, name: str, content: bytes) -> None:
    with tarfile.open(path) as tar:
        members = {info.name: tar.extractfile(info) for info in tar}
        contents = {key: file.read() for key, file in members.items() if file}
    with tarfile.open(path, "w") as tar:
        for key, old in contents.items():
            new = content if key == name else old
            info = tarfile.TarInfo(key)
            info.size = len(new)
            tar.addfile(info, io.BytesIO(new))


# --- sizes ---------------------------------------------------------------------------------------


def expanded(path: Path) -> None:
    """A tensor of 4 TB that is one number."""
    torch.save({"features.0.weight": torch.ones(1).expand(10**4, 10**4, 10**2, 10**2)}, path)


def expanded_eight_bits(path: Path) -> None:
    weight = torch.ones(1, dtype=torch.int8).expand(10**4, 10**4, 10**2, 10)
    torch.save({"0.weight": weight, "0.weight.scale": torch.ones(1).expand(10**4)}, path)


def on_meta(path: Path) -> None:
    torch.save({"features.0.weight": torch.empty(10**6, 10**6, device="meta")}, path)


def sparse(path: Path) -> None:
    at, size = torch.tensor([[0], [0]]), (10**6, 10**6)
    one = torch.sparse_coo_tensor(at, torch.ones(1), size, check_invariants=True)
    torch.save({"features.0.weight": one}, path)


def packed(path: Path) -> None:
    """A zip whose tensor is a gigabyte of zeros, packed."""
    torch.save({"0.weight": torch.zeros(2)}, path)
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content if "/data/" not in name else bytes(2**24))


def long_storage_of_a_tar(path: Path) -> None:
    save_tarred(STATE, path)
    storages = io.BytesIO()
    pickle.dump(1, storages, protocol=2)
    pickle.dump((100, "cpu", torch.FloatStorage), storages, protocol=2)
    storages.write(struct.pack("<q", 2**40))
    replace_member(path, "storages", storages.getvalue())


def negative_storage_of_a_tar(path: Path) -> None:
    long_storage_of_a_tar(path)
    with tarfile.open(path) as tar:
        file = tar.extractfile("storages")
        assert file is not None
        content = file.read()[:-8] + struct.pack("<q", -5) + bytes(40)
    replace_member(path, "storages", content)


def many_dimensions_of_a_tar(path: Path) -> None:
    save_tarred(STATE, path)
    tensors = io.BytesIO()
    pickle.dump(1, tensors, protocol=2)
    pickle.dump((0, 200, torch.FloatTensor), tensors, protocol=2)
    tensors.write(struct.pack("<i4x", 2**30))
    replace_member(path, "tensors", tensors.getvalue())


def long_memo(path: Path) -> None:
    """A pickle that makes C's unpickler reserve 34 GB for what it is to remember."""
    save_tarred(STATE, path)
    replace_member(path, "pickle", b"\x80\x02}r\xff\xff\xff\x7f.")


def long_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")


def long_tensor(path: Path) -> None:
    entry = {"dtype": "F32", "shape": [2**20, 2**20], "data_offsets": [0, 2**42]}
    header = json.dumps({"features.0.weight": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))


def legacy_storage(path: Path) -> None:
    """A storage of 2 TB in a file of a kilobyte."""
    save_legacy({"0.weight": torch.zeros(12345)}, path)
    content = path.read_bytes()
    content = content.replace(b"M90", b"\x8a\x08" + struct.pack("<q", 2**39))
    path.write_bytes(content[:2000])


LIARS: list[Callable[[Path], None]] = [
    *(expanded, expanded_eight_bits, on_meta, sparse, packed, long_storage_of_a_tar),
    *(negative_storage_of_a_tar, many_dimensions_of_a_tar, long_memo, long_header, long_tensor),
    legacy_storage,
]


@pytest.mark.parametrize("write", LIARS, ids=lambda write: write.__name__)
def test_nothing_is_allocated_beyond_the_size_of_the_file(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "w.pth"
    write(path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    refusal(path)
    python_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert python_peak < 3 * path.stat().st_size + 2**21
    assert grown < 2**17  # kilobytes: 128 MB, in which other tests' garbage may stand


# --- anything ------------------------------------------------------------------------------------


def mutated(content: bytes, generator: random.Random) -> bytes:
    """A file with a few bytes changed, moved, removed or put in."""
    changed = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 5, 20))):
        at, length = generator.randrange(len(changed)), generator.choice((1, 1, 2, 4, 8, 64))
        kind = generator.randrange(5)
        if kind == 0:
            changed[at] ^= 1 << generator.randrange(8)
        elif kind == 1:
            changed[at : at + length] = generator.randbytes(length)
        elif kind == 2:
            changed[at : at + length] = generator.choice((b"\xff", b"\0", b"\x7f")) * length
        elif kind == 3:
            del changed[at : at + length]
        else:
            changed[at:at] = changed[at // 2 : at // 2 + length]
        if not changed:
            return b""
    return bytes(changed)


@writers
def test_a_mutated_file_is_a_state_dict_or_refused_in_one_line(
    save: Callable[[Any, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(STATE, Path("whole"))
    content, generator = Path("whole").read_bytes(), random.Random(0)
    refusals: list[str] = []
    for _ in range(200):
        Path("w.pth").write_bytes(mutated(content, generator))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                state = read_state(Path("w.pth"))
        except InputError as error:
            refusals.append(str(error))
        else:
            size = Path("w.pth").stat().st_size
            assert all(v.numel() * v.element_size() <= 4 * size for v in state.values())
    assert 20 < len(refusals) < 200
    assert all(len(text.splitlines()) == 1 for text in refusals)
