from __future__ import annotations

import pytest
import torch
from torch import Tensor

from experiments.backbone.self_supervision import RECONSTRUCT, TEACHER, Student, Tasks, crops
from nst.backbones.load import load_backbone
from nst.backbones.network import Backbone

WEIGHTS = {"identity": 1.0, "reconstruction": 1.0, "teacher": 0.0}


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("vgg19_mini", "shipped", "avg")


@pytest.fixture
def images() -> Tensor:
    return torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("pooling", ["avg", "blur"])
def test_a_student_starts_as_the_backbone_and_folds_back(pooling: str, images: Tensor) -> None:
    backbone = load_backbone("vgg19_mini", "shipped", pooling)
    student = Student(backbone, images).eval()
    for layer in ("relu_4", "relu_10", "relu_16"):
        of_backbone = backbone(images, [layer])[layer]
        assert torch.allclose(student(images, [layer])[layer], of_backbone, rtol=1e-3, atol=1e-4)
    for key, value in student.fold().items():
        weight = backbone.chain.state_dict()[key]
        assert torch.allclose(value, weight, rtol=1e-3, atol=1e-4), key


def test_other_padding_changes_the_border_alone(backbone: Backbone, images: Tensor) -> None:
    zeros, reflect = (
        Student(backbone, images, padding).eval()(images, ["relu_4"])["relu_4"]
        for padding in ("zeros", "reflect")
    )
    inner = ..., slice(4, -4), slice(4, -4)
    assert torch.allclose(zeros[inner], reflect[inner], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(zeros, reflect, rtol=1e-1, atol=1e-1)


def test_a_folded_student_computes_what_the_student_computes(
    backbone: Backbone, images: Tensor
) -> None:
    student = Student(backbone, images)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape))
    student.estimate_statistics(images)
    plain = load_backbone("vgg19_mini", "shipped", "avg")
    plain.chain.load_state_dict(student.fold(), assign=True)
    of_plain = plain(images, ["relu_16"])["relu_16"]
    of_student = student.eval()(images, ["relu_16"])["relu_16"]
    assert torch.allclose(of_plain, of_student, rtol=1e-3, atol=1e-3)


def test_crops_depend_on_the_generator_alone_and_keep_their_index() -> None:
    flat = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 3, 40, 40) * 50
    index, seen, clean = crops(flat, 16, 32, torch.Generator().manual_seed(3))
    again = crops(flat, 16, 32, torch.Generator().manual_seed(3))
    assert torch.equal(seen, again[1])
    assert seen.shape == clean.shape == (16, 3, 32, 32)
    assert 0 <= float(clean.min()) <= float(clean.max()) <= 1
    brightness = clean.mean((1, 2, 3))
    low, high = brightness[index == 0].mean(), brightness[index == 4].mean()
    assert float(high - low) > 0.4


def test_the_teacher_task_falls_when_its_head_learns(backbone: Backbone, images: Tensor) -> None:
    teacher = load_backbone("squeezenet1_0", "random")
    student = Student(backbone, images)
    weights = {"identity": 0.0, "reconstruction": 1.0, "teacher": 1.0}
    tasks = Tasks(student, 4, weights, teacher)
    assert tasks.layers == {RECONSTRUCT, *TEACHER}
    assert not any("_teacher" in key for key in tasks.state_dict())
    optimizer = torch.optim.Adam(tasks.parameters(), 0.01)
    features = {k: v.detach() for k, v in student(images, tasks.layers).items()}
    seen = []
    for _ in range(40):
        losses = tasks(features, torch.arange(4), images, images)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        seen.append({key: float(value.detach()) for key, value in losses.items()})
    assert seen[-1]["teacher"] < 0.9 * seen[0]["teacher"]
    assert seen[-1]["reconstruction"] < 0.5 * seen[0]["reconstruction"]


def test_identity_is_told_from_statistics(backbone: Backbone, images: Tensor) -> None:
    student = Student(backbone, images)
    tasks = Tasks(student, 4, WEIGHTS, None)
    optimizer = torch.optim.Adam(tasks.parameters(), 0.01)
    features = {k: v.detach() for k, v in student(images, tasks.layers).items()}
    first = last = 0.0
    for step in range(40):
        losses = tasks(features, torch.arange(4), images, images)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        last = float(losses["identity_relu_16"].detach())
        first = first if step else last
    assert last < 0.8 * first
