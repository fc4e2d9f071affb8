"""What the studies found, as a page: claims, verdicts, numbers and pictures of finished sweeps.

Question: which published findings do the studies reproduce, and how sure is that?
Command: ``python -m experiments.study_page docs/studies.md outputs/layer_ablation/DATE_full …``
Cost: seconds for each sweep, whose report is written as well.
Finding: docs/studies.md.

Remarks by hand are the page's lines that begin with ``>``; they are kept where the page is written
again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nst import durable
from nst.errors import InputError
from nst.reports.findings.claims import Study, Verdict
from nst.reports.findings.judging import ClaimFinding, StudyFinding
from nst.reports.findings.studies import find_study, study_names
from nst.reports.sweep_plan import SweepPlan
from nst.reports.sweeps import Sweep, load_sweep, quoted
from nst.reports.wording.captions import markdown
from nst.reports.write import Report, full_report

WIDTH = 1100  # of a contact sheet, pixels
LEFT_OUT = ("hydra.", "logger", "report", "resume")
MARKS = {
    Verdict.reproduced: "**reproduced**",
    Verdict.partly: "*partly*",
    Verdict.not_reproduced: "**not reproduced**",
    Verdict.cannot_say: "cannot say",
}
HEAD = """# What the studies found

Each study states its claims before it is run: what is measured, from which number on a claim counts
as reproduced, and how a reader could object. They stand in the module of the study under
`experiments/studies/` and on the page of its report. A claim is **reproduced** where its number is
beyond the threshold by more than its spread (one standard deviation over seeds, or over what the
claim says), *partly* where the mean is beyond a weaker one, **not reproduced** where it is neither.
It **cannot say** where runs are too few, still falling, too small for their layers, or no pictures.
Times include waiting for other work on the machine.

"""


@dataclass(frozen=True)
class Finished:
    """A sweep of a study with its report.

    Attributes:
        report: its pages and pictures, and what the runs say
        study, finding: that it belongs to and what it says to it
    """

    report: Report
    study: Study
    finding: StudyFinding

    @property
    def sweep(self) -> Sweep:
        """Measured."""
        return self.report.sweep

    @property
    def network(self) -> str:
        """The networks that made the pictures; ImageNet's where the weights are a file."""
        names = dict.fromkeys(str(name) for name in self.sweep.values("backbone.name"))
        shipped = set(self.sweep.values("config.backbone.weights")) == {"shipped"}
        joined = ", ".join(f"`{name}`" for name in names)
        return joined if shipped else f"ImageNet's {joined}"

    @property
    def stem(self) -> str:
        """What its pictures are called."""
        networks = "_".join(dict.fromkeys(map(str, self.sweep.values("backbone.name"))))
        return f"study_{self.study.name}_{networks}{'_all' if self.is_whole else ''}"

    @property
    def is_whole(self) -> bool:
        """Whether every layer was swept, by ``study.layers=all``."""
        return "study.layers=all" in self.sweep.command.split()

    @property
    def heading(self) -> str:
        """Of its section."""
        return f"{self.study.name}, {self.network}{', every layer' if self.is_whole else ''}"


def finish(folder: Path) -> Finished:
    """Write the report of one sweep.

    Raises:
        InputError: it is no study's, or holds no complete run.
    """
    study = find_study(load_sweep([folder]).study)
    if study is None:
        raise InputError(f"{folder}: not a study's sweep (studies: {', '.join(study_names())})")
    report = full_report([folder])
    assert report.finding is not None  # its study has claims
    return Finished(report, study, report.finding)


def command_of(sweep: Sweep) -> tuple[str, bool]:
    """The command without folders and loggers, and whether anybody can run it as it stands."""
    overrides, runnable = [], True
    plan = SweepPlan.read(sweep.folders[0]) or SweepPlan()
    for word in quoted(plan.overrides):
        key, _, value = word.partition("=")
        if key.startswith(LEFT_OUT):
            continue
        if key == "backbone.weights" and "/" in value:
            word, runnable = f"{key}={sweep.value(0, 'backbone.name').upper()}.safetensors", False
        overrides.append(word)
    return "python run.py -m " + " ".join(overrides), runnable


def summary(sweeps: Sequence[Finished]) -> str:
    """The table of all claims, a column for each network."""
    networks = list(dict.fromkeys(each.network for each in sweeps))
    lines = [
        f"| study | claim | {' | '.join(networks)} |",
        f"|---|---|{'---|' * len(networks)}",
    ]
    for study in dict.fromkeys(each.study.name for each in sweeps):
        # where a network has several sweeps of a study, the first
        of_study = {each.network: each for each in reversed(sweeps) if each.study.name == study}
        claims = next(iter(of_study.values())).study.claims
        for number, claim in enumerate(claims):
            cells = [
                _cell(of_study[network].finding.claims[number]) if network in of_study else "–"
                for network in networks
            ]
            name = f"[`{study}`](#{study})" if number == 0 else ""
            lines.append(f"| {name} | {claim.sentence} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(found: ClaimFinding) -> str:
    number = found.together.number
    return f"{MARKS[found.together.verdict]}{f', {number}' if number else ''}"


def section(each: Finished, remarks: Sequence[str], images: Path) -> str:
    """One sweep: its command, its claims, remarks and pictures."""
    command, runnable = command_of(each.sweep)
    lines = [f"### {each.heading}", "", f"```{'bash' if runnable else 'text'}", command, "```", ""]
    lines += [f"{_setting(each.sweep)} {each.report.judge}", ""]
    lines += ["| claim | verdict | in numbers |", "|---|---|---|"]
    for found in each.finding.claims:
        answers = [(title, given) for title, given in found.panels if title]
        texts = [
            found.together.text,
            *(f"*{markdown(title)}*: {a.verdict}. {a.text}" for title, a in answers),
        ]
        mark = MARKS[found.together.verdict]
        lines.append(f"| {found.claim.sentence} | {mark} | {'<br>'.join(texts)} |")
    lines += ["", *([*remarks, ""] if remarks else [])]
    for name in pictures(each, images):
        kind = "pictures" if name.endswith(".jpg") else "figure"
        lines += [f"![{each.heading}: {kind}](images/{name})", ""]
    return "\n".join(lines)


def _setting(sweep: Sweep) -> str:
    """Size, steps, seeds, time and machine of the runs, in a sentence."""
    runs = sweep.runs
    size, steps = (sorted(set(sweep.values(key))) for key in ("config.size", "steps"))
    seeds = sorted(set(sweep.values("config.seed")))
    minutes = max(1, round(float(sweep.numbers("seconds").sum()) / 60))
    machine = markdown(", ".join(sorted(set(sweep.values("device_name")))))
    return (
        f"{len(runs)} runs of {_listed(steps)} steps at {_listed(size)} px, "
        f"seed{'s' * (len(seeds) > 1)} {_listed(seeds)}; "
        f"{minutes} minute{'s' * (minutes > 1)} in all, "
        f"threads: {_listed(sorted(set(sweep.values('threads'))))}, on {machine}."
    )


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))


def pictures(each: Finished, images: Path) -> list[str]:
    """Copy a report's first sheet and its study's figures as small files.

    Of figures that there are several of, as one for each layer, the middle one is taken.

    Args:
        each: the sweep
        images: the folder of the documentation's pictures

    Returns:
        Names of the files.
    """
    files = list(each.report.pictures.values())
    names = [f"{each.stem}.jpg"]
    with Image.open(files[0]) as image:
        image.thumbnail((WIDTH, 4 * WIDTH), Image.Resampling.LANCZOS)
        image.convert("RGB").save(images / names[0], quality=82, optimize=True)
    for figure in each.study.comparison.figures:
        several = [file for file in files if file.stem.startswith(figure)]
        if several:
            names.append(f"{each.stem}_{figure}.png")
            with Image.open(several[len(several) // 2]) as image:
                image.convert("RGB").quantize(256).save(images / names[-1], optimize=True)
    return names


def kept_remarks(page: Path) -> dict[str, list[str]]:
    """{heading: its lines that begin with ``>``} of an earlier page."""
    remarks: dict[str, list[str]] = {}
    heading = ""
    for line in page.read_text(encoding="utf-8").splitlines() if page.is_file() else ():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith(">"):
            remarks.setdefault(heading, []).append(line)
    return remarks


def page_of(sweeps: Sequence[Finished], remarks: Mapping[str, Sequence[str]], images: Path) -> str:
    """The whole page."""
    remark = remarks.get("What the studies found", [])
    parts = [HEAD, *(f"{line}\n" for line in remark), "\n" if remark else "", summary(sweeps)]
    for name in dict.fromkeys(each.study.name for each in sweeps):
        of_study = [each for each in sweeps if each.study.name == name]
        study = of_study[0].study
        parts.append(f"\n## {name}\n\n{study.question} **Published:** {study.published}\n")
        parts += [
            "\n" + section(each, remarks.get(each.heading, []), images).rstrip() + "\n"
            for each in of_study
        ]
    return "".join(parts)


def main() -> None:
    """Write the page and its pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", type=Path, help="a Markdown file; pictures go to images/ beside it")
    parser.add_argument("folders", nargs="+", type=Path, help="of studies' sweeps, in their order")
    arguments = parser.parse_args()
    images = arguments.page.parent / "images"
    try:
        images.mkdir(parents=True, exist_ok=True)
        sweeps = [finish(folder) for folder in arguments.folders]
        text = page_of(sweeps, kept_remarks(arguments.page), images)
        durable.write_text(arguments.page, text)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)


if __name__ == "__main__":
    main()
