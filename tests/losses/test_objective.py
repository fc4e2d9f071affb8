from __future__ import annotations

import pytest
import torch
from nst.losses.patches import patch_loss, patch_targets
from torch import Tensor

from nst.backbones.network import Backbone
from nst.losses import losses
from nst.losses.objective import LossSpec, Objective, group_terms


def test_terms_are_the_losses_times_their_weights(mini: Backbone, picture: Tensor) -> None:
    style = picture.flip(2)[..., :20]  # another size
    image = picture * 0.7 + 0.1
    spec = LossSpec(
        {"conv_4": 0.5, "relu_6": 2.0},
        {"relu_1": 0.2},
        content_weight=3.0,
        style_weight=7.0,
        tv_weight=11.0,
        patch_weight=13.0,
        content="mean",
        style="gatys",
        tv_reduction="sum",
    )
    objective = Objective(mini, spec, picture, style)
    names = ("content/conv_4", "content/relu_6", "style/relu_1", "tv", "patch")
    assert objective.names == names
    f, p = mini(image, ["conv_4", "relu_6", "relu_1"]), mini(picture, ["conv_4", "relu_6"])
    a = losses.gram_matrix(mini(style, ["relu_1"])["relu_1"])
    g, size = losses.gram_matrix(f["relu_1"]), losses.LayerSize(16, 24 * 32, 24 * 32)
    expected = torch.stack(
        [
            3.0 * 0.5 * torch.nn.functional.mse_loss(f["conv_4"], p["conv_4"]),
            3.0 * 2.0 * torch.nn.functional.mse_loss(f["relu_6"], p["relu_6"]),
            7.0 * 0.2 * losses.style_loss(g, a, size, "gatys")[0],
            11.0 * losses.total_variation(image)[0],
            13.0 * patch_loss(image, patch_targets(style))[0],
        ]
    )
    torch.testing.assert_close(objective(image)[0], expected)


def test_the_targets_themselves_cost_nothing(mini: Backbone, picture: Tensor) -> None:
    objective = Objective(mini, LossSpec({"conv_10": 1.0}, {"relu_9": 1.0}), picture, picture)
    assert objective(picture).abs().max() == 0


def test_gradient_is_that_of_each_images_own_sum(mini: Backbone, picture: Tensor) -> None:
    objective = Objective(mini, LossSpec({"conv_2": 1.0}, {"relu_1": 1.0}), picture, picture)
    images = torch.cat((picture * 0.5, picture.flip(3)))
    terms, gradient = objective.value_and_gradient(images)
    assert terms.shape == (2, 4)
    assert not terms.requires_grad
    for i in range(2):
        alone_terms, alone = objective.value_and_gradient(images[i : i + 1])
        torch.testing.assert_close(terms[i : i + 1], alone_terms, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(gradient[i : i + 1], alone, rtol=1e-3, atol=1e-7)


def test_gradient_agrees_with_finite_differences(mini: Backbone, picture: Tensor) -> None:
    objective = Objective(
        mini,
        LossSpec({"relu_4": 1.0}, {"relu_1": 1.0, "relu_3": 1.0}, tv_weight=0.1),
        picture,
        picture.flip(2),
    )
    image = picture * 0.8 + 0.05
    _, gradient = objective.value_and_gradient(image)
    direction = gradient / gradient.norm()
    h = 0.02
    ahead, behind = (objective(image + s * h * direction).sum().item() for s in (1, -1))
    assert (ahead - behind) / (2 * h) == pytest.approx(gradient.norm().item(), rel=0.02)


def test_the_network_is_computed_no_further_than_needed(mini: Backbone, picture: Tensor) -> None:
    reached: list[str] = []
    hooks = [
        stage.register_forward_hook(lambda *_, name=name: reached.append(name))
        for name, stage in mini.chain.items()
        if name.startswith("conv")
    ]
    objective = Objective(mini, LossSpec({"conv_4": 1.0}, {"relu_2": 1.0}), picture, picture)
    reached.clear()
    objective(picture)
    for hook in hooks:
        hook.remove()
    assert reached == ["conv_1", "conv_2", "conv_3", "conv_4"]


def test_the_shift_is_the_styles_own_and_counts_for_the_image_too(
    mini: Backbone, picture: Tensor
) -> None:
    styles = torch.cat([picture.flip(2), picture.flip(3) ** 2])
    spec = LossSpec({}, {"relu_3": 1.0}, style_shift=0.5)
    objective = Objective(mini, spec, style=[styles[:1], styles[1:]])
    features = mini(styles, ["relu_3"])["relu_3"]
    shift = 0.5 * features.mean((2, 3))
    torch.testing.assert_close(objective.shifts["relu_3"], shift)
    torch.testing.assert_close(objective.grams["relu_3"], losses.gram_matrix(features, shift))
    assert objective(styles).sum().item() == pytest.approx(0, abs=1e-8)
    assert Objective(mini, LossSpec({}, {"relu_3": 1.0}), style=picture).shifts == {}


def test_neighbours_take_their_share_of_a_style_loss(mini: Backbone, picture: Tensor) -> None:
    def error(share: float, image: Tensor) -> float:
        spec = LossSpec({}, {"relu_3": 1.0}, style_neighbours=share)
        return Objective(mini, spec, style=picture)(image).sum().item()

    mirrored, noise = picture.flip(3), picture + 0.1 * torch.randn_like(picture)
    assert error(0.7, picture) == pytest.approx(0, abs=1e-8)
    assert error(0.3, noise) == pytest.approx(0.7 * error(0, noise) + 0.3 * error(1, noise))
    assert error(1, mirrored) > error(0, mirrored)  # which way things lean is a matter of two


def test_a_style_without_neighbours_leaves_no_infinite_loss(mini: Backbone) -> None:
    spec = LossSpec({}, {"relu_13": 1.0}, style_neighbours=0.7)
    style, image = torch.rand(2, 1, 3, 16, 16)  # 1×1 at relu_13
    larger = torch.rand(1, 3, 48, 48)
    assert Objective(mini, spec, style=style)(image).isfinite().all()
    assert Objective(mini, spec, style=style)(larger).sum() < 1e3


def test_content_at_the_input_is_about_pixels(mini: Backbone, picture: Tensor) -> None:
    objective = Objective(mini, LossSpec({"input": 1.0}, {}, content="mean"), picture)
    assert objective(picture + 0.1)[0, 0].item() == pytest.approx(0.01, rel=1e-4)


def test_a_target_that_is_missing_is_named(mini: Backbone, picture: Tensor) -> None:
    with pytest.raises(ValueError, match="not given"):
        Objective(mini, LossSpec({}, {"relu_1": 1.0}), picture)


def test_groups_add_up() -> None:
    names = ("content/a", "style/b", "style/c", "tv", "patch")
    assert group_terms(names, [1.0, 2.0, 3.0, 0.5, 0.25]) == {
        "total": 6.75,
        "content": 1.0,
        "style": 5.0,
        "tv": 0.5,
        "patch": 0.25,
    }


def test_each_image_may_have_its_own_targets_and_weights(mini: Backbone, picture: Tensor) -> None:
    contents = torch.cat((picture, picture.flip(2), picture * 0.5))
    styles = [picture.flip(3), picture[..., :20], picture[..., 4:, 4:]]  # of three sizes
    specs = [
        LossSpec({"conv_4": a}, {"relu_1": 1.0, "relu_3": b}, c, d, tv_weight=e, patch_weight=c)
        for a, b, c, d, e in [(1, 2, 3, 4, 5), (0.5, 0, 1, 100, 0), (1, 1, 0, 1e-3, 0.1)]
    ]
    images = torch.cat((picture * 0.7, picture * 0.9, 1 - picture))
    together = Objective(mini, specs, contents, styles).value_and_gradient(images)
    for i, spec in enumerate(specs):
        alone = Objective(mini, spec, contents[i : i + 1], styles[i])
        for found, expected in zip(
            together, alone.value_and_gradient(images[i : i + 1]), strict=True
        ):
            torch.testing.assert_close(found[i : i + 1], expected, rtol=1e-3, atol=1e-6)


def test_images_of_one_batch_share_layers_and_conventions(mini: Backbone, picture: Tensor) -> None:
    for other in (LossSpec({"conv_2": 1.0}), LossSpec({"conv_4": 1.0}, content="mean")):
        with pytest.raises(ValueError, match="weights only"):
            Objective(mini, [LossSpec({"conv_4": 1.0}), other], picture)
