from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nst.reports.drawing.figures import general_figures, loss_curves, metric_along, metric_map
from nst.reports.sweeps import Sweep, load_sweep
from nst.runs.recording.folder import RunFolder


def sweep_of(folder: Path, *jobs: list[str]) -> Sweep:
    """Runs whose loss falls from 4 to 1 and whose PSNR is their number."""
    for number, job in enumerate(jobs):
        run = RunFolder(folder / f"{number}")
        with run.open_trace(["total"]) as trace:
            for step, loss in enumerate((4.0, 2.0, 1.0)):
                trace.write(step, step / 10, {"total": loss})
        values = {"psnr": float(number), "seconds_per_step": 0.1}
        run.save_record({"overrides": job, **values})
    return load_sweep([folder])


def test_losses_of_one_objective_stand_beside_each_other(tmp_path: Path) -> None:
    (axes,) = loss_curves(sweep_of(tmp_path, ["optimizer.lr=1"], ["optimizer.lr=2"])).axes
    assert axes.get_ylabel() == "loss"
    assert [list(np.asarray(line.get_ydata())) for line in axes.lines] == [[4, 2, 1]] * 2


def test_losses_of_other_objectives_are_relative_to_their_start(tmp_path: Path) -> None:
    (axes,) = loss_curves(sweep_of(tmp_path, ["loss=balanced"], ["loss=relative"])).axes
    assert axes.get_ylabel() == "loss relative to the start's"
    assert list(np.asarray(axes.lines[0].get_ydata())) == [1, 0.5, 0.25]


def test_a_metric_along_an_axis_has_a_dot_for_each_run_and_the_median_as_a_line(
    tmp_path: Path,
) -> None:
    sweep = sweep_of(tmp_path, *([f"size={s}", f"seed={n}"] for s in (32, 64) for n in (0, 1, 2)))
    (axes,) = metric_along(sweep, sweep.axes[0], "psnr", "PSNR").axes
    assert len(np.asarray(axes.collections[0].get_offsets())) == 6
    assert list(np.asarray(axes.lines[0].get_ydata())) == [1, 4]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["32", "64"]


def test_a_map_has_the_median_of_each_pair(tmp_path: Path) -> None:
    jobs = [[f"size={s}", f"init={i}"] for s in (32, 64) for i in ("noise", "content")]
    sweep = sweep_of(tmp_path, *jobs)
    size, init = sweep.axes
    figure = metric_map(sweep, size, init, "psnr", "PSNR")
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert shown.tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("jobs", "names"),
    [
        ([["seed=0"]], {"loss_curves"}),
        ([["size=1"], ["size=2"]], {"loss_curves", "psnr", "seconds_per_step"}),
        ([["content_layer=a"], ["content_layer=b"]], {"loss_curves", "psnr"}),
        (
            [["content_layer=a", "style=x"], ["content_layer=b", "style=y"]],
            {"loss_curves", "psnr_map"},
        ),
    ],
)
def test_what_varied_decides_the_figures(
    jobs: list[list[str]], names: set[str], tmp_path: Path
) -> None:
    assert set(general_figures(sweep_of(tmp_path, *jobs))) == names
