"""Networks that want their pixels as Caffe gave them: BGR, 0 to 255, less the mean."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

import nst
from nst.backbones import weights as backbone_weights
from nst.backbones.load import load_backbone
from nst.backbones.network import CAFFE_MEAN, Backbone
from nst.config.layers import layers_of
from nst.errors import InputError
from nst.gradients.chain import ChainGradient
from nst.gradients.engine import by_autograd
from nst.losses.objective import Objective
from nst.losses.terms import weighted_terms
from nst.pictures.samples import load_image
from tests.backbones.caffe_files import caffe_state, ordered, save_tar

SHARED = Path(__file__).resolve().parents[3] / "shared" / "weights" / "vgg16_imagenet.safetensors"


@pytest.fixture
def caffe_file(mini: Backbone, tmp_path: Path) -> Path:
    """The network that ships, in Caffe's form."""
    torch.save(caffe_state(mini), tmp_path / "caffe.pth")
    return tmp_path / "caffe.pth"


@pytest.fixture
def caffe_mini(caffe_file: Path) -> Backbone:
    return load_backbone("vgg19_mini", str(caffe_file), "avg", pixels="caffe")


def served(folder: Path, address: str, name: str, raw: Path) -> str:
    """A file's address once it is served under its name and the beginning of its sha256."""
    digest = hashlib.sha256(raw.read_bytes()).hexdigest()
    raw.rename(folder / f"{name}-{digest[:8]}.pth")
    return f"{address}/{name}-{digest[:8]}.pth"


def test_pixels_go_in_as_caffe_gave_them(
    caffe_file: Path, caffe_mini: Backbone, picture: Tensor
) -> None:
    """Up to the borders, where Caffe's zeros stand for its own mean."""
    state = torch.load(caffe_file, weights_only=True)
    pixels = (255 * picture - torch.tensor(CAFFE_MEAN).view(1, 3, 1, 1)).flip(1)
    weight, bias = state["features.0.weight"], state["features.0.bias"]
    expected = F.conv2d(pixels, weight, bias, padding=1)
    features = caffe_mini(picture, ["conv_1"])["conv_1"]
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)


def test_a_network_in_both_forms_sees_the_same(
    mini: Backbone, caffe_mini: Backbone, picture: Tensor
) -> None:
    for name in ("conv_1", "relu_3", "relu_4"):
        a, b = (network(picture, [name])[name][..., 3:-3, 3:-3] for network in (mini, caffe_mini))
        assert (a - b).norm() < 0.01 * a.norm()
    wrong = load_backbone("vgg19_mini", "shipped", "avg")
    filters = wrong.get_parameter("chain.conv_1.weight")
    filters.data = filters.flip(1)
    a, b = (network(picture, ["relu_3"])["relu_3"] for network in (mini, wrong))
    assert (a - b).norm() > 0.1 * a.norm()  # so that red and blue do matter


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.usefixtures("thin_strips")
def test_gradients_are_those_of_the_pixels(
    caffe_mini: Backbone, picture: Tensor, checkpointing: bool
) -> None:
    spec = weighted_terms({"relu_4": 1.0}, {"relu_1": 1.0, "relu_5": 1.0})
    objective = Objective.of_pictures(caffe_mini, spec, picture, picture.flip(1))
    terms, gradient = ChainGradient(objective, checkpointing)(picture.flip(2))
    expected, exact = by_autograd(objective, picture.flip(2))
    torch.testing.assert_close(terms, expected, rtol=1e-4, atol=1e-6)
    assert (gradient - exact).norm() < 1e-3 * exact.norm()


def test_bfloat16_costs_no_more_than_with_small_pixels(
    mini: Backbone, caffe_mini: Backbone, picture: Tensor
) -> None:
    """Its eight bits are relative to each number, ±150 or ±2."""

    def error(network: Backbone) -> tuple[float, float]:
        spec = weighted_terms({"relu_4": 1.0}, {"relu_1": 1.0, "relu_5": 1.0})
        results = []
        for dtype in (torch.float32, torch.bfloat16):
            objective = Objective.of_pictures(
                network.in_precision(dtype), spec, picture, picture.flip(1)
            )
            results.append(ChainGradient(objective)(picture.flip(2)))
        (exact, slope), (terms, gradient) = results
        loss = (terms.sum() - exact.sum()).abs() / exact.sum()
        return float(loss), float((gradient - slope).norm() / slope.norm())

    loss, gradient = error(caffe_mini)
    assert loss < 0.01
    assert gradient < 1.5 * error(mini)[1] < 0.15


# --- where files come from ------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["today's", "tar"])
def test_caffes_weights_are_downloaded_once_into_torchs_cache(
    file_server: tuple[Path, str], torch_home: Path, monkeypatch: pytest.MonkeyPatch,
    mini: Backbone, picture: Tensor, tmp_path: Path, capfd: pytest.CaptureFixture[str], format: str,
) -> None:  # fmt: skip
    state = ordered({**caffe_state(mini), "classifier.1.weight": torch.zeros(2, 2)})
    if format == "tar":
        save_tar(state, tmp_path / "raw")
    else:
        torch.save(state, tmp_path / "raw")
    url = served(*file_server, "vgg19", tmp_path / "raw")
    monkeypatch.setitem(backbone_weights.CAFFE_URLS, "vgg19_mini", url)
    first = load_backbone("vgg19_mini", "caffe", "avg")
    assert "100" in capfd.readouterr().err  # the progress bar
    (cached,) = torch_home.iterdir()
    (file_server[0] / cached.name).unlink()  # from now on only the cache has it
    again = load_backbone("vgg19_mini", "caffe", "avg")
    assert first.weights_record == again.weights_record
    assert again.weights_record.name == "caffe"
    assert again.weights_record.sha256 == hashlib.sha256(cached.read_bytes()).hexdigest()
    features = (network(picture, ["relu_3"])["relu_3"] for network in (first, again, mini))
    a, b, c = (f[..., 3:-3, 3:-3] for f in features)
    assert torch.equal(a, b)
    assert (a - c).norm() < 0.01 * c.norm()


def test_half_a_file_is_refused(
    file_server: tuple[Path, str], torch_home: Path, monkeypatch: pytest.MonkeyPatch,
    caffe_file: Path,
) -> None:  # fmt: skip
    url = served(*file_server, "vgg19", caffe_file)
    file = file_server[0] / url.rpartition("/")[2]
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    monkeypatch.setitem(backbone_weights.CAFFE_URLS, "vgg19_mini", url)
    with pytest.raises(InputError, match=rf"^could not download {file.name} .* hash") as caught:
        load_backbone("vgg19_mini", "caffe")
    assert "\n" not in str(caught.value)
    assert not list(torch_home.iterdir())


def test_half_a_file_of_ones_own_is_refused(caffe_file: Path) -> None:
    caffe_file.write_bytes(caffe_file.read_bytes()[: caffe_file.stat().st_size // 2])
    with pytest.raises(InputError, match="no readable state dict") as caught:
        load_backbone("vgg19_mini", str(caffe_file), pixels="caffe")
    assert "\n" not in str(caught.value)


def test_without_a_network_the_error_says_what_else_there_is(
    torch_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "http://127.0.0.1:9/vgg19-d01eb7cb.pth"  # the discard port: nobody answers
    monkeypatch.setitem(backbone_weights.CAFFE_URLS, "vgg19", address)
    with pytest.raises(InputError) as caught:
        load_backbone("vgg19", "caffe")
    message = str(caught.value)
    assert message.startswith(f"could not download vgg19-d01eb7cb.pth from {address}")
    assert str(torch_home / "vgg19-d01eb7cb.pth") in message
    for remedy in (
        "backbone.weights=PATH",
        "backbone.input=caffe",
        "backbone=vgg19,",
        "vgg16_mini",
    ):
        assert remedy in message
    assert "\n" not in message


def test_the_real_files_are_named_by_their_digests() -> None:
    for name, digits in {"vgg19": "d01eb7cb", "vgg16": "00b39a1b"}.items():
        url = backbone_weights.CAFFE_URLS[name]
        assert url.startswith("https://")
        assert url.endswith(f"/{name}-{digits}.pth")
        assert backbone_weights.is_of_caffe(digits + 56 * "0")
    assert not backbone_weights.is_of_caffe(64 * "0")


def test_networks_that_caffe_did_not_have() -> None:
    for name in ("vgg19_mini", "squeezenet1_0"):
        with pytest.raises(InputError, match=f"no Caffe weights of {name}.* vgg19, vgg16"):
            load_backbone(name, "caffe")


@pytest.mark.parametrize(
    ("weights", "setting"),
    [("caffe", "imagenet"), ("imagenet", "caffe"), ("random", "caffe"), ("shipped", "caffe")],
)
def test_weights_that_want_other_pixels_are_refused_before_anything_is_loaded(
    weights: str, setting: str
) -> None:
    message = f"^backbone.input={setting} contradicts backbone.weights={weights}, whose input is"
    with pytest.raises(InputError, match=message) as caught:
        nst.compose("backbone=vgg19", f"backbone.weights={weights}", f"backbone.input={setting}")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=message):
        load_backbone("vgg19", weights, pixels=setting)


def test_a_file_of_caffes_without_the_word_is_noticed(
    caffe_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    digest = hashlib.sha256(caffe_file.read_bytes()).hexdigest()
    url = f"https://127.0.0.1/vgg19-{digest[:8]}.pth"
    monkeypatch.setitem(backbone_weights.CAFFE_URLS, "vgg19", url)
    with caplog.at_level(logging.WARNING):
        load_backbone("vgg19_mini", str(caffe_file), pixels="caffe")
        load_backbone("vgg19_mini", "shipped")
        assert not caplog.records
        load_backbone("vgg19_mini", str(caffe_file))
    (record,) = caplog.records
    assert record.getMessage() == f"{caffe_file} takes Caffe's pixels; add backbone.input=caffe"


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_file(), reason="needs ../shared with the weights of VGG-16")
def test_the_real_vgg16_in_both_forms_sees_the_same(
    file_server: tuple[Path, str], torch_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Through a download of J. Johnson's form, made of the shared file, to its deepest layers."""
    prepared = load_backbone("vgg16", str(SHARED))
    save_tar(ordered(caffe_state(prepared)), tmp_path / "raw")
    url = served(*file_server, "vgg16", tmp_path / "raw")
    monkeypatch.setitem(backbone_weights.CAFFE_URLS, "vgg16", url)
    raw = load_backbone("vgg16", "caffe")
    first = load_file(SHARED)["features.0.weight"].float()
    assert raw.get_parameter("chain.conv_1.weight").abs().max() < 0.02 * first.abs().max()
    image = load_image("chelsea", 160)
    names = [name for name in layers_of("vgg16") if name.startswith(("conv", "relu"))]
    ours, theirs = raw(image, names), prepared(image, names)
    inside = slice(2, -2)
    for name in names:
        a, b = ours[name], theirs[name]
        assert (a - b).norm() < 0.01 * b.norm(), name
        if name in ("conv_1", "relu_2"):  # as far as the other border does not reach
            a, b = a[..., inside, inside], b[..., inside, inside]
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-2)
