"""Real photographs, paintings and ImageNet weights, where ``../shared`` has them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nst.backbones.load import load_backbone
from nst.losses.gram import gram_matrix
from nst.pictures.files import to_uint8
from nst.pictures.samples import load_image
from nst.runs.context import Context
from nst.runs.job import run_job
from tests.conftest import Compose

SHARED = Path(__file__).resolve().parents[3] / "shared"
WEIGHTS = SHARED / "weights" / "squeezenet1_0_imagenet.pth"
CONTENT, STYLE = SHARED / "images" / "tubingen.jpg", SHARED / "images" / "starry_night.jpg"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (WEIGHTS.is_file() and CONTENT.is_file() and STYLE.is_file()),
        reason="needs ../shared with real images and ImageNet weights",
    ),
]
PICTURES = (f"content={CONTENT}", f"style={STYLE}")
IMAGENET = ("backbone=squeezenet1_0", f"backbone.weights={WEIGHTS}")


def test_imagenet_features_and_classifier_agree_with_torchvision() -> None:
    """Our features are torchvision's, and its classifier calls them an Egyptian cat (285)."""
    from torchvision.models import squeezenet1_0

    theirs = squeezenet1_0(weights=None).eval()
    theirs.load_state_dict(torch.load(WEIGHTS, weights_only=True))
    ours = load_backbone("squeezenet1_0", str(WEIGHTS), "max")
    image = load_image("chelsea", 256)
    features = ours(image, ["fire9"])["fire9"]
    with torch.no_grad():
        expected = theirs.features((image - ours.mean) / ours.std)
        torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-2)
        assert theirs.classifier(features).mean((2, 3)).argmax().item() == 285


@pytest.mark.parametrize("backbone", [(), IMAGENET], ids=["vgg16_mini", "squeezenet1_0"])
def test_a_transfer_takes_the_style_and_keeps_the_content(
    composed: Compose, run_folder: Path, backbone: tuple[str, ...]
) -> None:
    cfg = composed(*PICTURES, *backbone, "size=96", "optimizer.steps=60")
    record = run_job(cfg, Context(run_folder))
    result = load_image(str(run_folder / "image.png"), 96)
    judge = load_backbone("squeezenet1_0", str(WEIGHTS), "max")
    content, style = load_image(str(CONTENT), 96), load_image(str(STYLE), 96)

    def distance(a: torch.Tensor, b: torch.Tensor) -> float:
        g, h = (gram_matrix(judge(x, ["fire4"])["fire4"]) for x in (a, b))
        return float((g - h).norm() / h.norm())

    assert distance(result, style) < 0.7 * distance(content, style)
    assert record["psnr"] > 11
    a, b = (to_uint8(x)[0].mean(2).ravel() for x in (result, content))
    assert torch.corrcoef(torch.tensor([a.tolist(), b.tolist()]))[0, 1] > 0.5


@pytest.mark.parametrize(
    ("backbone", "layer"), [((), "conv_4"), (IMAGENET, "relu_1")], ids=["vgg16_mini", "squeezenet"]
)
def test_an_early_layer_gives_the_photograph_back(
    composed: Compose, run_folder: Path, backbone: tuple[str, ...], layer: str
) -> None:
    overrides = ("task=content", f"content_layer={layer}", "size=96", "optimizer.steps=150")
    assert run_job(composed(*PICTURES, *backbone, *overrides), Context(run_folder))["psnr"] > 25
