"""Noise or content as the start.

Question: what does the start image change in quality and in time?
Command: ``python run.py -m study=init_timing``
Cost: six runs of 300 steps at 256 px, two minutes on two cores.
Finding: a step costs the same; from the content, more of the content stays.
"""

from __future__ import annotations

from nst.reports.findings.studies import Comparison, Finding, Study
from nst.reports.measuring.judges import medians
from nst.reports.sweeps import Sweep


def judge(sweep: Sweep) -> Finding:
    """Equal seconds per step, and a picture nearer to the content when it started there."""
    axis = sweep.axis("init")
    if axis is None or not {"noise", "content"} <= set(axis.values):
        return Finding("open", "Both starts are needed: init=noise,content.")

    def by(column: str) -> dict[str, float]:
        return medians(sweep, "init", sweep.runs[column])

    step, loss, ssim = by("seconds_per_step"), by("losses.total"), by("ssim")
    ratio = step["content"] / step["noise"]
    text = (
        f"A step takes {step['content'] * 1000:.0f} ms from the content and "
        f"{step['noise'] * 1000:.0f} ms from noise (ratio {ratio:.2f}); the loss ends at "
        f"{loss['content']:.4g} and {loss['noise']:.4g}, SSIM to the content at "
        f"{ssim['content']:.3f} and {ssim['noise']:.3f}."
    )
    same, closer = 0.8 < ratio < 1.25, ssim["content"] > ssim["noise"]
    status = "reproduced" if same and closer else "partly" if same or closer else "not reproduced"
    return Finding(status, text)


STUDY = Study(
    name="init_timing",
    question="What does the start image change in quality and in time?",
    published="A step costs the same; starting from the content keeps more of it.",
    judge=judge,
    comparison=Comparison(
        by="start",
        results=(
            "seconds",
            "seconds_per_step",
            "psnr",
            "ssim",
            "losses_total",
            "losses_content",
            "losses_style",
        ),
        figures=("seconds_per_step", "psnr"),
    ),
    rows="init",
    columns="seed",
)
