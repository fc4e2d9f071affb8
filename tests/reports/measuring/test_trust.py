from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nst.pictures.files import to_uint8
from nst.pictures.measures import neighbor_correlation, roughness
from nst.pictures.samples import load_image
from nst.reports.measuring.trust import PROBLEMS, problems
from nst.reports.sweeps import Axis, Sweep

SETTLED = [100.0 / (1 + step) ** 2 for step in range(101)]


def white_noise(spread: float, side: int = 96) -> np.ndarray:
    """Grey with noise as an optimisation starts from, with a spread in units of [0, 1]."""
    values = 127.5 + 255 * spread * np.random.default_rng(0).standard_normal((side, side, 3))
    noise: np.ndarray = values.clip(0, 255).astype(np.uint8)
    return noise


@cache
def sample(name: str, side: int = 96) -> np.ndarray:
    """A sample's pixels, (H, W, 3) uint8."""
    return np.asarray(to_uint8(load_image(name, side))[0])


def wrong(folder: Path, values: dict[str, float] | None = None, **record: Any) -> dict[str, str]:
    """What is wrong with the run of a folder, by the name of the problem."""
    columns = {"folder": str(folder), **{k.replace("__", "."): [v] for k, v in record.items()}}
    sweep = Sweep((folder,), None, None, "", pd.DataFrame(columns, index=[0]), ())
    found = problems(sweep, 0, values or {})
    assert tuple(found) == PROBLEMS
    return {name: text for name, text in found.items() if text}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a photograph as its result, and a loss that has settled."""
    Image.fromarray(sample("coffee")).save(tmp_path / "image.png")
    trace(tmp_path, SETTLED)
    return tmp_path


def trace(folder: Path, loss: list[float]) -> None:
    table = pd.DataFrame({"step": range(len(loss)), "total": loss})
    table.to_csv(folder / "trace.csv", index=False)


def test_nothing_is_wrong_with_a_settled_run_of_a_picture(run: Path) -> None:
    assert wrong(run) == {}


class TestTooShort:
    @pytest.mark.parametrize(
        ("loss", "text"),
        [
            ([], "only 0 steps"),
            (SETTLED[:1], "only 0 steps"),
            (SETTLED[:5], "only 4 steps"),
            (SETTLED[:20], "only 19 steps"),
            (list(np.linspace(100, 50, 101)), "still fell by 5.0 % of the start's"),
            (list(np.linspace(100, 88, 101)), "still fell by 1.2 %"),
            ([100.0] * 101, "did not fall"),
            ([100.0] * 50 + [200.0] * 51, "did not fall"),
            ([100.0] * 100 + [float("nan")], "not finite"),
            ([float("inf")] * 101, "not finite"),
        ],
    )
    def test_a_run_that_was_not_at_its_end(self, run: Path, loss: list[float], text: str) -> None:
        trace(run, loss)
        assert text in wrong(run)["too_short"]

    @pytest.mark.parametrize(
        "loss",
        [
            SETTLED,
            SETTLED[:21],
            list(np.linspace(100, 92, 101)),
            [0.0] * 101,  # a reconstruction that starts from its content
            [100.0, *[50.0] * 60, 51.0, *[50.0] * 40],
        ],
        ids=["settled", "twenty steps", "slowly", "nothing to do", "a jump on the way"],
    )
    def test_a_run_that_was(self, run: Path, loss: list[float]) -> None:
        trace(run, loss)
        assert wrong(run) == {}

    @pytest.mark.parametrize(("steps", "is_wrong"), [(4, True), (300, False), (None, False)])
    def test_without_a_trace_the_record_counts(
        self, run: Path, steps: int | None, is_wrong: bool
    ) -> None:
        (run / "trace.csv").unlink()
        assert ("too_short" in wrong(run, steps=steps)) is is_wrong
        (run / "trace.csv").touch()
        assert ("too_short" in wrong(run, steps=steps)) is is_wrong


class TestTooSmall:
    @pytest.mark.parametrize(
        ("task", "content_layer", "style_layers", "side", "text"),
        [
            ("content", "conv_16", "conv_1", 96, None),
            ("content", "conv_16", "conv_1", 95, "5 positions along a side are left at conv_16"),
            ("content", "relu4_2", "conv_16", 48, None),
            ("content", ["conv_1", "block4_conv2"], "conv_1", 47, "at relu_10"),
            ("texture", "conv_16", "conv_1-5", 24, None),
            ("texture", "conv_1", "conv_11-15", 80, "at conv_13"),
            ("texture", "conv_1", ["conv_1", "pool5"], 128, "4 positions"),
            ("transfer", "conv_1", "conv_11-15", 80, "at conv_13"),
            ("transfer", "conv_16", "conv_1", 80, "at conv_16"),
            ("transfer", "input", "input", 6, None),
        ],
    )
    def test_positions_at_the_deepest_layer_that_the_task_uses(
        self, run: Path, task: str, content_layer: Any, style_layers: Any, side: int,
        text: str | None,
    ) -> None:  # fmt: skip
        found = wrong(
            run, task=task, width=256, height=side, backbone__name="vgg19",
            config__content_layer=content_layer, config__style_layers=style_layers,
        )  # fmt: skip
        assert ("too_small" in found) == (text is not None)
        assert text is None or text in found["too_small"]

    def test_a_style_of_its_own_size(self, run: Path) -> None:
        Image.fromarray(sample("mosaic", 64)).save(run / "style.png")
        record: dict[str, Any] = {
            "task": "transfer", "width": 256, "height": 256, "backbone__name": "vgg19",
            "config__content_layer": "conv_16",
        }  # fmt: skip
        assert wrong(run, **record, config__style_layers="conv_1-5") == {}
        assert "too_small" in wrong(run, **record, config__style_layers="conv_11-15")

    @pytest.mark.parametrize(
        "record",
        [
            {"width": 8, "height": 8, "config__content_layer": "conv_16"},
            {"backbone__name": "vgg19", "config__content_layer": "conv_16"},
            {"backbone__name": "vgg19", "width": 8, "height": 8},
            {
                "backbone__name": "vgg16",
                "width": 8,
                "height": 8,
                "config__content_layer": "conv_99",
            },
        ],
        ids=["no network", "no size", "no layers", "layers of another version"],
    )
    def test_what_a_record_does_not_say_is_not_wrong(self, run: Path, record: Any) -> None:
        assert wrong(run, **record) == {}


def like(name: str, image: np.ndarray) -> dict[str, float]:
    """Measures of a picture whose original is a sample."""
    original = sample(name)
    return {
        "roughness": roughness(image) / roughness(original),
        "original_neighbors": neighbor_correlation(original.astype(float).mean(2)),
    }


class TestNotAPicture:
    @pytest.mark.parametrize("original", ["coffee", "astronaut", "hubble", "mosaic", "ink", "dabs"])
    @pytest.mark.parametrize("spread", [0.5, 0.2, 0.05])
    def test_the_noise_that_runs_start_from(self, run: Path, original: str, spread: float) -> None:
        """Also beside a mosaic, than which it is hardly rougher, and where it is faint."""
        image = white_noise(spread)
        Image.fromarray(image).save(run / "image.png")
        assert "is noise" in wrong(run, like(original, image))["not_a_picture"]

    @pytest.mark.parametrize(
        "name", ["coffee", "hubble", "mosaic", "ink", "dabs", "waves", "swirl"]
    )
    def test_every_sample_is_a_picture(self, run: Path, name: str) -> None:
        Image.fromarray(sample(name)).save(run / "image.png")
        assert wrong(run, like(name, sample(name))) == {}

    def test_grain_on_a_photograph_is_a_photograph(self, run: Path) -> None:
        grainy = sample("coffee") + (white_noise(0.1)[:64] - 127.5)
        image = grainy.clip(0, 255).astype(np.uint8)
        Image.fromarray(image).save(run / "image.png")
        assert wrong(run, like("coffee", image)) == {}

    @pytest.mark.parametrize("level", [0, 128, 255])
    def test_a_flat_picture(self, run: Path, level: int) -> None:
        Image.fromarray(np.full((96, 96, 3), level, dtype=np.uint8)).save(run / "image.png")
        assert "is flat" in wrong(run)["not_a_picture"]

    def test_no_picture(self, run: Path) -> None:
        (run / "image.png").unlink()
        assert wrong(run)["not_a_picture"] == "it has no image.png"


@pytest.mark.parametrize(
    ("kept", "edges", "is_absent"),
    [(0.1, 0.1, True), (0.1, 0.4, False), (0.5, 0.1, False), (float("nan"), 0.1, False)],
)
def test_content_is_absent_where_neither_features_nor_edges_have_it(
    run: Path, kept: float, edges: float, is_absent: bool
) -> None:
    found = wrong(run, {"content_kept": kept, "edges": edges})
    assert ("content_absent" in found) is is_absent


def test_a_seeds_picture_once_more_is_repeated_and_another_settings_is_not(run: Path) -> None:
    runs = pd.DataFrame(
        {
            "folder": str(run),
            "seed": ["0", "1", "0", "1"],
            "size": ["64", "64", "32", "32"],
            "picture": ["a", "a", "a", None],
        }
    )
    axes = (Axis("size", ("64", "32")), Axis("seed", ("0", "1")))
    sweep = Sweep((run,), None, None, "", runs, axes)
    repeated = [problems(sweep, index, {})["repeated"] for index in runs.index]
    assert repeated == [None, "its picture is that of size 64 · seed 0", None, None]
