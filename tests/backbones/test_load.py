from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nst.backbones import weights as backbone_weights
from nst.backbones.load import build, load_backbone
from nst.backbones.network import Backbone
from nst.config.layers import layers_of
from nst.errors import InputError


def torchvision_state(name: str) -> dict[str, Tensor]:
    """A state dict as torchvision saves it: features, and a classifier that is not ours."""
    backbone = load_backbone(name, "random", seed=3)
    state = {}
    for i, module in enumerate(backbone.chain.values()):
        for key, value in module.state_dict().items():
            state[f"features.{i}.{key}"] = value.contiguous()
    state["classifier.0.weight"] = torch.zeros(2, 2)
    return state


def test_vgg19_takes_torchvisions_weights() -> None:
    """Each of the same name and shape, and no other."""
    from torchvision.models import vgg19

    with torch.device("meta"):
        features = vgg19(weights=None).features
    state = {f"features.{k}": torch.zeros(v.shape) for k, v in features.state_dict().items()}
    backbone = build("vgg19")
    backbone_weights.fill(backbone, state, Path("vgg19.pth"))
    assert all(parameter.abs().max() == 0 for parameter in backbone.parameters())


@pytest.mark.parametrize("name", [pytest.param("vgg16", marks=pytest.mark.slow), "squeezenet1_0"])
@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_features_are_torchvisions(name: str, pooling: str, tmp_path: Path) -> None:
    """The same weights in torchvision's own model give the same deepest features."""
    import torchvision.models

    torch.save(torchvision_state(name), tmp_path / "w.pth")
    ours = load_backbone(name, str(tmp_path / "w.pth"), pooling)
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)(weights=None).features
    theirs = theirs.to_empty(device="cpu")
    state = torch.load(tmp_path / "w.pth", weights_only=True)
    theirs.load_state_dict({k[9:]: v for k, v in state.items() if k.startswith("features.")})
    if pooling == "avg":
        for i, module in enumerate(theirs):
            if isinstance(module, nn.MaxPool2d):
                theirs[i] = nn.AvgPool2d(module.kernel_size, 2, ceil_mode=module.ceil_mode)
    images = torch.rand(1, 3, 64, 48)
    normalized = (images - ours.mean) / ours.std
    deepest = layers_of(name)[-1]
    features = ours(images, [deepest])[deepest]
    torch.testing.assert_close(features, theirs(normalized), rtol=1e-3, atol=1e-2)


def test_nothing_learns(mini: Backbone) -> None:
    assert not any(p.requires_grad for p in mini.parameters())
    assert not mini.training


@pytest.mark.parametrize("name", ["vgg19_mini", pytest.param("vgg16", marks=pytest.mark.slow)])
def test_random_weights_have_mean_activations_of_one(name: str) -> None:
    from nst.pictures.samples import calibration_images

    backbone = load_backbone(name, "random", seed=5)
    activations = backbone(calibration_images(), ["relu_1", "relu_5", "relu_13"])
    for features in activations.values():
        assert features.mean().item() == pytest.approx(1.0, abs=0.02)


def test_random_weights_follow_their_seed() -> None:
    a, b, c = (load_backbone("vgg19_mini", "random", seed=s) for s in (0, 0, 1))
    assert a.weights_record == b.weights_record
    assert a.weights_record.sha256 != c.weights_record.sha256
    assert torch.equal(next(a.parameters()), next(b.parameters()))


def test_random_weights_leave_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    load_backbone("squeezenet1_0", "random")
    assert torch.equal(torch.rand(1), expected)


def test_the_shipped_weights_are_named_and_fingerprinted(mini: Backbone) -> None:
    path = backbone_weights.weights_path("vgg19_mini", "shipped")
    assert mini.weights_record.name == "shipped"
    assert mini.weights_record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert record["sha256"] == mini.weights_record.sha256  # how this very file was made
    assert path.stat().st_size < 3_000_000


@pytest.mark.parametrize("suffix", ["whole.pth", "features.pth", "file.safetensors"])
def test_state_dicts_of_every_kind(tmp_path: Path, suffix: str) -> None:
    state = torchvision_state("squeezenet1_0")
    if suffix == "features.pth":
        state = {k[9:]: v for k, v in state.items() if k.startswith("features.")}
    path = tmp_path / suffix
    if suffix.endswith("pth"):
        torch.save(state, path)
    else:
        save_file(state, path)
    loaded = load_backbone("squeezenet1_0", str(path))
    assert loaded.weights_record.name == str(path)
    expected = load_backbone("squeezenet1_0", "random", seed=3)
    for ours, theirs in zip(loaded.parameters(), expected.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def change(state: dict[str, Tensor], key: str, value: Tensor | None) -> dict[str, Tensor]:
    if value is None:
        return {k: v for k, v in state.items() if k != key}
    return {**state, key: value}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("features.0.weight", None, "has no features.0.weight"),
        ("features.0.weight", torch.zeros(1), r"shape \(1,\), expected \(96, 3, 7, 7\)"),
        ("features.0.bias", torch.full((96,), torch.nan), "NaN"),
        ("features.99.weight", torch.zeros(1), "also has features.99.weight"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    tmp_path: Path, key: str, value: Tensor | None, message: str
) -> None:
    torch.save(change(torchvision_state("squeezenet1_0"), key, value), tmp_path / "w.pth")
    with pytest.raises(InputError, match=message):
        load_backbone("squeezenet1_0", str(tmp_path / "w.pth"))


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("pwned"),))


def test_a_file_is_never_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": Malicious()}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="no readable state dict"):
        load_backbone("vgg16", str(tmp_path / "w.pth"))
    assert not Path("pwned").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken"])
def test_rubbish_is_refused(tmp_path: Path, content: bytes) -> None:
    for name in ("w.pth", "w.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="no readable state dict"):
            load_backbone("vgg16", str(tmp_path / name))


def test_weights_that_do_not_exist() -> None:
    with pytest.raises(InputError, match="no such file"):
        load_backbone("vgg16", "nowhere.pth")
    with pytest.raises(InputError, match="no weights of vgg16 ship"):
        load_backbone("vgg16", "shipped")
    with pytest.raises(InputError, match="no ImageNet weights of vgg19_mini"):
        load_backbone("vgg19_mini", "imagenet")
    with pytest.raises(InputError, match="unknown backbone"):
        load_backbone("resnet50")


# --- torchvision's download, over loopback -------------------------------------------------------


def test_imagenet_weights_are_downloaded_once_into_torchs_cache(
    file_server: tuple[Path, str], torch_home: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    folder, address = file_server
    torch.save(torchvision_state("squeezenet1_0"), folder / "raw")
    digest = hashlib.sha256((folder / "raw").read_bytes()).hexdigest()
    filename = f"squeezenet1_0-{digest[:8]}.pth"
    (folder / "raw").rename(folder / filename)
    monkeypatch.setattr(backbone_weights, "imagenet_url", lambda name: f"{address}/{filename}")
    first = load_backbone("squeezenet1_0", "imagenet")
    assert (torch_home / filename).is_file()
    assert "100" in capfd.readouterr().err  # the progress bar
    (folder / filename).unlink()  # from now on only the cache has it
    again = load_backbone("squeezenet1_0", "imagenet")
    assert first.weights_record == again.weights_record
    assert again.weights_record.name == "imagenet"
    assert again.weights_record.sha256 == digest


def test_a_damaged_download_is_refused(
    file_server: tuple[Path, str], torch_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = file_server
    (folder / "vgg16-00000000.pth").write_bytes(b"half a file")
    monkeypatch.setattr(
        backbone_weights, "imagenet_url", lambda name: f"{address}/vgg16-00000000.pth"
    )
    with pytest.raises(InputError, match=r"could not download vgg16-00000000\.pth"):
        load_backbone("vgg16", "imagenet")
    assert not list(torch_home.iterdir())


def test_without_a_network_the_error_says_what_to_fetch_and_where_to_put_it(
    torch_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "http://127.0.0.1:9/vgg19-dcbb9e9d.pth"  # the discard port: nobody answers
    monkeypatch.setattr(backbone_weights, "imagenet_url", lambda name: address)
    with pytest.raises(InputError) as caught:
        load_backbone("vgg19", "imagenet")
    message = str(caught.value)
    assert "vgg19-dcbb9e9d.pth" in message
    assert address in message
    assert str(torch_home / "vgg19-dcbb9e9d.pth") in message
    assert "backbone=vgg16_mini" in message
    assert "\n" not in message


def test_the_real_addresses_are_torchvisions() -> None:
    for name, file in {"vgg19": "vgg19-", "vgg16": "vgg16-", "squeezenet1_0": "squeeze"}.items():
        url = backbone_weights.imagenet_url(name)
        assert url.startswith("https://")
        assert file in url


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        (torch.int64, 3, "features.0.bias holds int64, expected floating-point numbers"),
        (torch.int8, 3, "features.0.bias holds int8, expected floating-point numbers"),
        (torch.complex64, 1j, "features.0.bias holds complex64, expected floating-point"),
        (torch.bool, True, "features.0.bias holds bool, expected floating-point"),
        (torch.float16, torch.inf, r"NaN or infinite values \(float16 ends at 65504\)"),
        (torch.float64, 1e300, "NaN or infinite values beyond float32's range"),
    ],
)
def test_numbers_of_another_kind_are_refused(
    tmp_path: Path, dtype: torch.dtype, value: Any, message: str
) -> None:
    biases = torch.full((96,), value, dtype=dtype)
    state = change(torchvision_state("squeezenet1_0"), "features.0.bias", biases)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(InputError, match=message):
        load_backbone("squeezenet1_0", str(tmp_path / "w.pth"))


def test_half_the_bits_are_enough(tmp_path: Path) -> None:
    state = {k: v.bfloat16() for k, v in torchvision_state("squeezenet1_0").items()}
    torch.save(state, tmp_path / "w.pth")
    loaded = load_backbone("squeezenet1_0", str(tmp_path / "w.pth"))
    assert all(parameter.dtype is torch.float32 for parameter in loaded.parameters())


@pytest.mark.parametrize("name", ["vgg16_mini", "vgg19_mini"])
def test_weights_of_another_network_are_recognized(name: str) -> None:
    file = str(backbone_weights.weights_path(name, "shipped"))
    with pytest.raises(InputError, match=f"these are weights of {name}, use backbone={name}"):
        load_backbone("vgg16", file)


def test_a_path_that_cannot_be_is_no_file() -> None:
    for path in ("x" * 5000, "~nobody-of-this-name/w.pth", "/"):
        with pytest.raises(InputError, match="no such file"):
            load_backbone("vgg16", path)


def test_a_damaged_cache_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def fill(modules: list[nn.Module], images: Tensor, generator: torch.Generator) -> None:
        made.append(images.shape)
        for module in modules:
            for parameter in module.parameters():
                nn.init.ones_(parameter)

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("nst.backbones.load.kmeans.fill", fill)
    monkeypatch.setattr(
        "nst.backbones.load.training_images", lambda *_, **__: torch.zeros(1, 3, 8, 8)
    )
    first = load_backbone("vgg16_mini", "kmeans")
    (cache,) = tmp_path.rglob("*.safetensors")
    for damage in (cache.read_bytes()[:1000], b"", b"{}"):
        cache.write_bytes(damage)
        assert load_backbone("vgg16_mini", "kmeans").weights_record == first.weights_record
    load_backbone("vgg16_mini", "kmeans")
    assert len(made) == 4  # the last one was read
