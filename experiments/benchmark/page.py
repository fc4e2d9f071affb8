"""The benchmark's results as a page: tables in Markdown, plots as small PNGs beside it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

Row = dict[str, Any]
START, END = "<!-- measured -->", "<!-- end of what was measured -->"


def write(results: Row, page: Path | None) -> str:
    """The tables; with a page, they replace what stands there between its two marks."""
    text = tables(results)
    if page is None:
        return text
    page.parent.mkdir(parents=True, exist_ok=True)
    old = page.read_text(encoding="utf-8") if page.is_file() else f"# Speed\n\n{START}\n{END}\n"
    head, _, rest = old.partition(START)
    _, _, tail = rest.partition(END)
    images = page.parent / "images"
    images.mkdir(exist_ok=True)
    plot(results, images / "performance.png")
    picture = "![Seconds per iteration, and the baseline's time over ours](images/performance.png)"
    page.write_text(f"{head}{START}\n{text}\n{picture}\n{END}{tail}", encoding="utf-8")
    return text


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def tables(results: Row) -> str:
    """Every table of the page that there are measurements for."""
    machine = f"{results['machine']}, {results['threads']} threads, torch "
    tables_of = {
        "versus": _versus, "same_loss": _same_loss, "memory": _memory, "overhead": _overhead,
        "iterations": _iterations, "ceilings": _ceilings,
    }  # fmt: skip
    parts = [table_of(results).strip() for part, table_of in tables_of.items() if part in results]
    if "iterations" in results:
        parts.append(_growth(results).strip())
    return "\n\n".join([machine + results["versions"]["torch"], *filter(None, parts)]) + "\n"


def _versus(results: Row) -> str:
    rows = [
        [
            f"{r['size']}²", r["baseline"], r["precision"], f"{r['seconds_baseline']:.3f}",
            f"{r['seconds_ours']:.3f}", f"**{r['ratio']:.2f}** ({r['low']:.2f}–{r['high']:.2f})",
        ]
        for r in results["versus"]
    ]  # fmt: skip
    head = ["VGG-19", "baseline's network", "ours in", "baseline, s", "ours, s", "ratio (range)"]
    return "Per iteration against the baseline, in turns in one process:\n\n" + table(head, rows)


def _same_loss(results: Row) -> str:
    rows = [
        [
            f"{r['backbone']} {r['size']}²",
            f"{r['baseline_steps']} in {r['baseline_seconds']:.0f} s",
            f"{r['steps']} in {r['seconds']:.0f} s", f"{r['loss']:.4g}, {r['reached']:.4g}",
            f"**{r['ratio']:.2f}**", (r["fell_back"] or "—").partition(",")[0],
        ]
        for r in results["same_loss"]
    ]  # fmt: skip
    head = ["network", "baseline's iterations", "ours", "loss: goal, reached", "ratio"]
    head.append("back to float32")
    return "Time to the same loss, evaluated in float32:\n\n" + table(head, rows)


def _memory(results: Row) -> str:
    cells = {(r["size"], r["kind"]): r["megabytes"] for r in results["memory"]}
    kinds = list(dict.fromkeys(r["kind"] for r in results["memory"] if r["kind"] != "baseline"))
    rows = []
    for size in sorted({size for size, _ in cells}):
        base = cells[size, "baseline"]
        ours = (f"{cells[size, kind]:.0f} ({cells[size, kind] / base:.2f})" for kind in kinds)
        rows.append([f"{size}²", f"{base:.0f}", *ours])
    head = ["VGG-19", "baseline, MB", *kinds]
    title = (
        "Peak memory that targets and two iterations add to the process (and over the baseline's)"
    )
    return f"{title}:\n\n" + table(head, rows)


def _overhead(results: Row) -> str:
    rows = [
        [
            r["logger"], f"{r['size']}²", str(r["steps"]), f"{r['loop']:.2f}",
            f"{r['optimiser']:.2f}", f"{r['share']:.1%}",
        ]
        for r in results.get("overhead", [])
    ]  # fmt: skip
    head = ["logger", "vgg19_mini", "steps", "loop, s", "optimiser, s", "all else"]
    title = (
        "The loop over the steps as a job runs it, with bar, trace and log, against its optimiser"
    )
    return f"{title}:\n\n" + table(head, rows) if rows else ""


def _share(results: Row, row: Row) -> float:
    rates = results["ceilings"][row["precision"]]
    return float(row["gflop"] / row["seconds"] / max(rates.values()))


def _iterations(results: Row) -> str:
    rows = [
        [
            r["backbone"], f"{r['size']}²", r["precision"], str(r["batch"]),
            f"{r['seconds'] * 1e3:.1f}", f"{r['seconds'] * 1e3 / r['batch']:.1f}",
            f"{r['gflop']:.1f}", f"{r['gflop'] / r['seconds']:.0f}", f"{_share(results, r):.0%}",
        ]
        for r in results["iterations"]
    ]  # fmt: skip
    head = ["network", "size", "precision", "images", "ms per iteration", "ms per image"]
    head += ["GFLOP", "GFLOP/s", "of the ceiling"]
    counted = (
        "An iteration of ours, L-BFGS included. Operations are those of direct convolutions, also "
        "where Winograd's make do with fewer products: a share above 100 % is possible.\n\n"
    )
    return counted + table(head, rows)


def _ceilings(results: Row) -> str:
    rates = results["ceilings"]
    rows = [
        [name, f"{rates[name]['matmul']:.0f}", f"{rates[name]['convolution']:.0f}"]
        for name in ("float32", "bfloat16")
    ]
    head = ["precision", "matrix product, GFLOP/s", "convolution, GFLOP/s"]
    copy = f"A copy moves {rates['copy']:.0f} GB/s. The ceiling is the larger of the two rates."
    return f"What the machine did in the same run:\n\n{table(head, rows)}\n{copy}"


def _growth(results: Row) -> str:
    """How the time grows with pixels: the exponent between the smallest and the largest size."""
    lines = []
    for name in ("vgg19", "vgg19_mini"):
        own = [r for r in results["iterations"] if r["backbone"] == name and r["batch"] == 1]
        own = sorted((r for r in own if r["precision"] == "bfloat16"), key=lambda r: r["size"])
        ratio = math.log(own[-1]["seconds"] / own[0]["seconds"])
        exponent = ratio / (2 * math.log(own[-1]["size"] / own[0]["size"]))
        lines.append(f"{name}: time ∝ pixels^{exponent:.2f} from {own[0]['size']}² on")
    return "; ".join(lines) + "."


def plot(results: Row, path: Path) -> None:
    """Seconds per iteration over size; ratios to the baseline with their range."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for name, marker in (("vgg19", "o"), ("vgg19_mini", "s")):
        for precision, style in (("float32", "--"), ("bfloat16", "-")):
            own = [
                (r["size"], r["seconds"])
                for r in results["iterations"]
                if (r["backbone"], r["precision"], r["batch"]) == (name, precision, 1)
            ]
            left.plot(*zip(*own, strict=True), style, marker=marker, label=f"{name} {precision}")
    left.set(xscale="log", yscale="log", xlabel="side in pixels", ylabel="seconds per iteration")
    left.set_xticks(sorted({r["size"] for r in results["iterations"]}))
    left.get_xaxis().set_major_formatter(matplotlib.ticker.ScalarFormatter())
    left.minorticks_off()
    left.legend(fontsize=8)
    rows = results["versus"]
    labels = [f"{r['size']}² {r['precision']}\n{r['baseline']} network" for r in rows]
    ratios = [r["ratio"] for r in rows]
    spread = [[r["ratio"] - r["low"] for r in rows], [r["high"] - r["ratio"] for r in rows]]
    right.barh(labels, ratios, xerr=spread, color="0.6")
    right.axvline(1, color="black", linewidth=0.8)
    right.set_xlabel("baseline's time / ours, per iteration")
    right.tick_params(labelsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
