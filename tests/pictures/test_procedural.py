"""Pictures to learn from: seeded, various, and a share of them photographs."""

from __future__ import annotations

import torch

from nst.pictures.procedural import training_images


def test_procedural_images_are_seeded_and_various() -> None:
    images = training_images(12, 48, seed=3, photos=0)
    assert torch.equal(images[:4], training_images(4, 48, seed=3, photos=0))
    assert not torch.equal(images[:4], training_images(4, 48, seed=4, photos=0))
    assert (images.flatten(1).std(1) > 0.005).all()
    assert images.min() >= 0
    assert images.max() <= 1


def test_training_images_have_their_share_of_photographs() -> None:
    """Each image is that of its index: a photograph's crop, or drawn."""
    mixed, drawn, photos = (training_images(16, 40, photos=share) for share in (0.75, 0, 1))
    of_photo = [torch.equal(a, b) for a, b in zip(mixed, photos, strict=True)]
    of_drawn = [torch.equal(a, b) for a, b in zip(mixed, drawn, strict=True)]
    assert of_photo.count(True) == 12
    assert of_drawn.count(True) == 4


def test_images_do_not_depend_on_how_many_are_asked_for() -> None:
    images = training_images(6, 32, photos=0.5)
    assert torch.equal(training_images(2, 32, photos=0.5, first=4), images[4:])
