"""The short form of :mod:`tests.stress.images`, and whether it would notice."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from PIL import Image

from nst.errors import InputError
from nst.pictures.reading import open_image
from tests.stress.images import damaged, stress, whole_pictures


def test_every_whole_picture_is_read(tmp_path: Path) -> None:
    assert len(whole_pictures()) > 40
    for name, content in whole_pictures().items():
        file = tmp_path / name
        file.write_bytes(content)
        assert open_image(file).mode == "RGB"


def test_a_case_is_its_number() -> None:
    assert [damaged(case) for case in range(50)] == [damaged(case) for case in range(50)]
    assert len({content for _, content in map(damaged, range(200))}) > 190


@pytest.mark.slow
def test_damaged_pictures_are_read_or_refused_in_one_line() -> None:
    outcome = stress(500)
    assert outcome.faults == []
    assert outcome.images > 100
    assert sum(outcome.refused.values()) == 500 - outcome.images > 100
    assert outcome.peak_mb < 1024


def crash(file: Path) -> Image.Image:
    os._exit(3)


def hang(file: Path) -> Image.Image:
    time.sleep(60)
    raise InputError(f"{file}: late")


def take_two_gigabytes(file: Path) -> Image.Image:
    return Image.new("RGB", (len(bytearray(2 * 2**30)), 1))


def fail(file: Path) -> Image.Image:
    raise KeyError(file)


def refuse_without_a_name(file: Path) -> Image.Image:
    raise InputError("it is broken")


def return_grey(file: Path) -> Image.Image:
    return Image.new("L", (1, 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("read", "fault"),
    [
        (crash, "it ends the process with status 3"),
        (hang, "it takes more than 2 s"),
        (take_two_gigabytes, "MemoryError: "),
        (fail, "KeyError: "),
        (refuse_without_a_name, "an error of another form"),
        (return_grey, "an image of mode L"),
    ],
)
def test_a_fault_is_noticed_with_its_case(read: object, fault: str) -> None:
    outcome = stress(2, first=7, read=read, seconds=2)  # type: ignore[arg-type]
    assert [text.partition(": ")[0] for text in outcome.faults] == ["case 7", "case 8"]
    assert all(fault in text for text in outcome.faults)
    assert outcome.images == sum(outcome.refused.values()) == 0
