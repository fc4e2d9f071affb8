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
from nst.reports.write import report


def main() -> None:
    """Write a report and say where."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of a sweep")
    parser.add_argument("--output", type=Path, help="where to write; one folder: into it")
    arguments = parser.parse_args()
    try:
        print(report(arguments.folders, arguments.output))
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
