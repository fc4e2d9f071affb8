"""What is said at the end of a run, read off its record.

First where the picture is, then how much of content and style it has and whether more steps would
help. What the optimiser and the machine did is for those who ask: ``verbose=true``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nst.runs.context import relative
from nst.runs.messages.forecast import duration

_FEW_STEPS = 30
CONVERGED = 0.01
"""Share of its loss that a run may lose in the last tenth of its steps, and has converged …"""
FALLING = 0.04
"""… and from which on more steps would help.

Measured with the default network at 128 px, three transfers and a texture, 50 to 400 steps: twice
the steps lower the loss by three to seven times that share. Below 1 % one has to look for what
they change in the picture, above 4 % (they take 13 to 50 % off the loss) one sees it at once.
"""


def result(record: Mapping[str, Any], folder: Path, sweep: str | None = None) -> list[str]:
    """What a person wants to know of a complete run; one line in a sweep.

    Args:
        record: as ``record.json`` holds it
        folder: of the run
        sweep: the folder of the sweep that it belongs to, from which its picture is named
    """
    file = folder / "image.png"
    inside = sweep is not None and file.is_relative_to(Path(sweep).absolute())
    picture = str(file.relative_to(Path(str(sweep)).absolute()) if inside else relative(file))
    output = record["config"].get("output")
    if sweep is None:
        return [*filter(None, [output, picture, _kept(record)]), _went(record)]
    words = ", ".join(filter(None, (_numbers(record), _convergence(record))))
    return [f"{output or picture}: {words}" if words else output or picture]


def _kept(record: Mapping[str, Any]) -> str:
    """``keeps 62 % of the content and has taken on 71 % of the style``; empty if not known."""
    content, style = record["judged"]["content_kept"], record["judged"]["style_taken"]
    close = ""
    if record["task"] == "content":  # in a transfer PSNR means little
        close = f" (PSNR {record['psnr']:.1f} dB)"
    kept = "" if content is None else f"keeps {percent(content)} of the content{close}"
    taken = "" if style is None else f"has taken on {percent(style)} of the style"
    return " and ".join(filter(None, (kept, taken)))


def _numbers(record: Mapping[str, Any]) -> str:
    """The same in few words: ``62 % content, 71 % style``."""
    shares = {
        "content": record["judged"]["content_kept"], "style": record["judged"]["style_taken"]
    }  # fmt: skip
    return ", ".join(f"{percent(v)} {name}" for name, v in shares.items() if v is not None)


def percent(share: float) -> str:
    """A share in whole percent.

    >>> percent(0.617)
    '62 %'
    """
    return f"{100 * share:.0f} %"


def convergence(last_tenth: float | None) -> str:
    """How it went, from the share of its loss that a run lost in the last tenth of its steps.

    >>> convergence(0.005), convergence(0.02), convergence(0.05)
    ('converged', 'nearly converged', 'still falling')
    """
    if last_tenth is None:
        return ""
    if last_tenth < CONVERGED:
        return "converged"
    return "nearly converged" if last_tenth < FALLING else "still falling"


def _convergence(record: Mapping[str, Any]) -> str:
    """How it went; of few steps, and of a picture that something is wrong with, only what fell."""
    words = convergence(record["last_tenth"])
    doubtful = record["steps"] < _FEW_STEPS or record.get("warnings")
    return words if words == "still falling" or not doubtful else ""


def _went(record: Mapping[str, Any]) -> str:
    """``converged after 100 steps, in 41 s``, and what would help where it has not."""
    steps = record["steps"]
    in_all = f"{steps} step{'' if steps == 1 else 's'}, in {duration(record['seconds'])}"
    words = _convergence(record)
    if not words:
        return in_all
    own = record["config"]["optimizer"]["steps"]
    if words == "still falling":
        further = record["config"].get("passes")
        more = max(2 * own, _FEW_STEPS)
        where = "in the last of passes" if further else f"as optimizer.steps={more}"
        return f"{words} after {in_all}: more would help, {where}"
    return f"{words} after {in_all}"


def details(record: Mapping[str, Any], folder: Path) -> list[str]:
    """All that a run has to say: losses, similarity, what the optimiser and the machine did."""
    said = {
        "losses": ", ".join(f"{name} {loss:.4g}" for name, loss in record["losses"].items()),
        "last tenth of the steps": _fell(record["last_tenth"]),
        "similarity to the content": _similarity(record),
        "judged by": record["judged"]["by"],
        "guard": _guard(record["restarts"]),
        "precision": _precision(record["precision"]),
        "time": _time(record),
        "machine": f"{record['device_name']}, {_threads(record)}",
        "memory": _memory(record),
        "sheet": str(relative(folder / "sheet.png")),
    }
    return [f"{name}: {text}" for name, text in said.items() if text]


def _fell(last_tenth: float | None) -> str:
    return "" if last_tenth is None else f"the loss fell by {100 * last_tenth:.2g} %"


def _similarity(record: Mapping[str, Any]) -> str:
    if record["psnr"] is None:
        return ""
    return f"PSNR {record['psnr']:.1f} dB, SSIM {record['ssim']:.3f}"


def _guard(restarts: int) -> str:
    if not restarts:
        return ""
    return f"went back to the best image {restarts} time{'' if restarts == 1 else 's'}"


def _precision(precision: Mapping[str, Any]) -> str:
    fell_back = f"; {precision['fell_back']}" if precision["fell_back"] else ""
    return f"{precision['name']} ({precision['why']}){fell_back}"


def _time(record: Mapping[str, Any]) -> str:
    batch, whole = record["batch"], record["batch_seconds"]
    share = "" if batch == 1 else f", a share of {whole:.1f} s for {batch} runs at once"
    return (
        f"{record['seconds']:.1f} s ({record['seconds_per_step']:.3g} s a step{share}) after "
        f"{record['seconds_setup']:.1f} s of preparation"
    )


def _threads(record: Mapping[str, Any]) -> str:
    number = record["threads"]
    return f"{number} thread{'' if number == 1 else 's'} ({record['threads_why']})"


def _memory(record: Mapping[str, Any]) -> str:
    peak, memory = record["peak_memory_mb"], record["memory"]
    held = None if peak is None else f"{peak:.0f} MB at most"
    estimate = memory["estimate_mb"]  # none where it plainly fits
    expected = None if estimate is None else f"{estimate:.0f} MB expected of the run"
    return f"{', '.join(filter(None, (held, expected)))} ({memory['why']})".lstrip()
