from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst.errors import InputError
from nst.pictures.measures import psnr, rms_difference
from nst.reports.measuring.differences import (
    between_runs,
    difference,
    pixels,
    seed_groups,
    to_originals,
)
from nst.reports.sweeps import load_sweep

RNG = np.random.default_rng(0)
A, B = RNG.integers(0, 256, (2, 16, 24, 3), dtype=np.uint8)


class TestDifference:
    def test_it_is_signed_and_of_each_channel(self) -> None:
        a = np.full((2, 3, 3), 100, dtype=np.uint8)
        b = a.copy()
        b[0, :, 0] = 130
        between = difference("a − b", a, b)
        assert between.values.tolist() == [[[-30, 0, 0]] * 3, [[0, 0, 0]] * 3]
        assert between.rms == pytest.approx(150**0.5)
        assert between.brightness.tolist() == [[-10] * 3, [0] * 3]
        assert between.color[0].tolist() == pytest.approx([200**0.5] * 3)

    def test_it_agrees_with_psnr(self) -> None:
        between = difference("", A, B)
        assert between.rms == pytest.approx(rms_difference(A, B))
        assert between.psnr == pytest.approx(psnr(A, B))

    def test_the_squares_of_brightness_and_color_add_up(self) -> None:
        between = difference("", A, B)
        parts = between.rms_brightness**2 + between.rms_color**2
        assert parts == pytest.approx(between.rms**2)

    def test_colors_that_cancel_in_the_mean_are_seen(self) -> None:
        a = np.full((8, 8, 3), 128, dtype=np.uint8)
        b = a + np.array([30, 0, 256 - 30], dtype=np.uint8)
        between = difference("", a, b)
        assert between.rms_brightness == pytest.approx(0, abs=1e-9)
        assert between.rms == between.rms_color == pytest.approx(600**0.5)

    def test_noise_leaves_an_eighth_of_itself_and_a_shade_all(self) -> None:
        grey = np.full((160, 160, 3), 128, dtype=np.uint8)
        noise = (grey + np.random.default_rng(1).normal(0, 20, grey.shape)).astype(np.uint8)
        assert difference("", noise, grey).coarse_share == pytest.approx(1 / 8, abs=0.03)
        assert difference("", grey, grey + 20).coarse_share == pytest.approx(1)

    def test_equal_pictures(self) -> None:
        between = difference("", A, A)
        assert between.is_zero
        assert between.psnr == 100
        assert np.isnan(between.coarse_share)
        assert not difference("", A, B).is_zero


def save(folder: Path, **pictures: np.ndarray) -> Path:
    """A run's folder with these pictures."""
    folder.mkdir()
    for name, values in pictures.items():
        Image.fromarray(values).save(folder / f"{name}.png")
    return folder


def test_each_pair_of_results_and_each_result_against_its_original(tmp_path: Path) -> None:
    folders = [save(tmp_path / str(i), image=image, content=B) for i, image in enumerate((A, B, A))]
    pairs = between_runs(folders, ["a", "b", "c"])
    assert [each.name for each in pairs] == ["a − b", "a − c", "b − c"]
    assert [each.is_zero for each in pairs] == [False, True, False]
    originals = to_originals(folders, ["a", "b", "c"])
    assert [each.name for each in originals] == [f"{name} − original" for name in "abc"]
    assert originals[1].is_zero
    assert originals[0].rms == pairs[0].rms


def test_other_sizes_have_no_difference(tmp_path: Path) -> None:
    folders = [save(tmp_path / "0", image=A, style=A[:8]), save(tmp_path / "1", image=A[:, :12])]
    assert between_runs(folders, ["a", "b"]) == []
    assert to_originals(folders, ["a", "b"]) == []


def test_a_texture_has_its_style_as_the_original(tmp_path: Path) -> None:
    (of_style,) = to_originals([save(tmp_path / "0", image=A, style=B)], ["a"])
    assert of_style.rms == pytest.approx(rms_difference(A, B))


def test_grey_pictures_have_three_equal_channels_and_others_are_named(tmp_path: Path) -> None:
    save(tmp_path / "0", image=A[..., 0])
    assert (pixels(tmp_path / "0" / "image.png") == A[..., :1]).all()
    (tmp_path / "cut.png").write_bytes(b"\x89PNG")
    for name in ("cut.png", "nothing.png"):
        with pytest.raises(InputError, match=name):
            pixels(tmp_path / name)


class TestSeedGroups:
    def test_seeds_are_compared_with_each_other_and_with_the_original(
        self, layers_and_seeds: Path
    ) -> None:
        sweep = load_sweep([layers_and_seeds])
        (seeds,) = (axis for axis in sweep.axes if axis.key == "seed")
        one_layer = replace(sweep, runs=sweep.runs.iloc[:2], axes=(seeds,))
        ((name, differences),) = seed_groups(one_layer).items()
        assert name == "seed_difference"
        assert [each.name for each in differences] == [
            *("seed 0 − seed 1", "seed 0 − original", "seed 1 − original"),
        ]

    def test_a_group_for_each_value_of_the_other_axes(self, layers_and_seeds: Path) -> None:
        groups = seed_groups(load_sweep([layers_and_seeds]))
        assert list(groups) == ["seed_difference_conv_1", "seed_difference_conv_4"]
        assert all(group[0].name == "seed 0 − seed 1" for group in groups.values())
        assert len(seed_groups(load_sweep([layers_and_seeds]), limit=1)) == 1

    def test_without_seeds_there_are_none(self, layers_and_seeds: Path) -> None:
        assert seed_groups(load_sweep([layers_and_seeds / "0"])) == {}

    def test_seeds_that_gave_one_picture_are_left_out(self, layers_and_seeds: Path) -> None:
        same = (layers_and_seeds / "0" / "image.png").read_bytes()
        (layers_and_seeds / "1" / "image.png").write_bytes(same)
        assert list(seed_groups(load_sweep([layers_and_seeds]))) == ["seed_difference_conv_4"]
