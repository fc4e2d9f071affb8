"""The report of a sweep: labelled sheets, figures, the table, and one page with all of it.

Question: what does a sweep show, at a glance and in numbers?
Command: ``python -m experiments.report FOLDER`` (several folders stand side by side; a sweep's
report is also written when the sweep ends)
Cost: seconds.
Finding: FOLDER/report.html.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nst.errors import InputError
from nst.reports.layout import MAX_PANELS
from nst.reports.write import Choices, report


def main() -> None:
    """Write a report and say where."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of a sweep")
    parser.add_argument("--output", type=Path, help="where to write; one folder: into it")
    as_recorded = "; as the runs' configs say, unless given"
    parser.add_argument("--figure-width", type=float, metavar="INCHES", help=f"1–20{as_recorded}")
    parser.add_argument("--judge", metavar="BACKBONE", help=f"measures the pictures{as_recorded}")
    parser.add_argument("--judge-weights", metavar="WEIGHTS", help=f"its weights{as_recorded}")
    parser.add_argument(
        "--panels", type=int, default=MAX_PANELS, help="most contact sheets (default: %(default)s)"
    )
    given = parser.parse_args()
    choices = Choices(given.figure_width, given.judge, given.judge_weights, given.panels)
    try:
        print(report(given.folders, given.output, choices))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error.__cause__, OSError) else 2)  # 1: the disk's fault
    except KeyboardInterrupt:
        print("interrupted; an earlier report is as it was", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
