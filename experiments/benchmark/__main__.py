"""``python -m experiments.benchmark``: measure, keep the numbers, write the page."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from tqdm import tqdm

import experiments.benchmark
from experiments.benchmark import page as performance_page
from experiments.benchmark.measure import PARTS, measure
from experiments.benchmark.plan import QUICK, Plan


def main() -> None:
    """Measure what the command line asks for, and print the tables."""
    arguments = _parser().parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if not arguments.only_page:
        _measure_into(arguments.results, QUICK if arguments.quick else Plan(), arguments.only)
    results = json.loads(arguments.results.read_text())
    page = arguments.page or (None if arguments.quick else Path("docs/performance.md"))
    if missing := PARTS.keys() - results.keys():
        tqdm.write(f"no page is written: {arguments.results} lacks {', '.join(sorted(missing))}")
        page = None
    print(performance_page.write(results, page))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmark",
        description=str(experiments.benchmark.__doc__).splitlines()[0],
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, few turns")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART",
                        help=f"the rest as it was: {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--threads", type=int, default=0, help="0: as many as torch takes")
    parser.add_argument("--results", type=Path, default=Path("outputs/benchmark.json"))
    parser.add_argument("--page", type=Path, help="default: docs/performance.md, none if quick")
    parser.add_argument("--only-page", action="store_true", help="from results of before")
    return parser


def _measure_into(file: Path, plan: Plan, parts: list[str]) -> None:
    """Measure parts; those that the file has besides stay."""
    before = json.loads(file.read_text()) if file.is_file() else {}
    results = {**before, **measure(plan, parts)}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
