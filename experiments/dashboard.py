"""A saved W&B workspace that compares runs by study.

Question: how do the runs of a study compare, without waiting for its report?
Command: ``python -m experiments.dashboard --entity TEAM --project nst``, after runs and reports are
at W&B (``logger.mode=online``, or ``wandb sync`` later); ``--study NAME …`` for some studies only.
Cost: seconds. Every call saves a new workspace and prints its address. Needs the extra
``pip install -e '.[dashboard]'``.
Finding: see the address.

A workspace has one set of runs for all its sections. So what a study's section shows has keys of
its own: its runs log their total loss, results and pictures under ``STUDY/``
(:mod:`nst.runs.recording.tracking`), its report the grid, the figures and the table
(:mod:`nst.reports.tracking`). What a section compares stands in the study's own module.
"""

from __future__ import annotations

import argparse
import os
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Sequence
from typing import Any

from nst.config import wandb_default
from nst.reports.findings.claims import Study
from nst.reports.findings.studies import find_study, study_names

RUNS = 500
"""As many as the largest study could have; W&B's own default is ten."""


REPORT = ("contact_sheet", "loss_curves")
"""Figures of every report."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Save the workspace and print its address."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.dashboard", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--entity",
        default=wandb_default("entity"),
        help="W&B user or team; without it, WANDB_ENTITY or your default",
    )
    parser.add_argument(
        "--project",
        default=wandb_default("project"),
        help="W&B project; without it, WANDB_PROJECT or nst",
    )
    parser.add_argument("--name", default="nst studies", help="of the workspace")
    parser.add_argument(
        "--study", nargs="+", choices=study_names(), help="only these", metavar="NAME"
    )
    options = parser.parse_args(arguments)
    try:
        _import()
    except ImportError as error:
        sys.exit(f"error: {error}; the dashboard needs: pip install -e '.[dashboard]'")
    _require_server()
    try:
        entity = options.entity or _default_entity()
        saved = workspace(entity, options.project, options.name, options.study).save()
        print(saved.url)
    except Exception as error:  # not logged in, no such project, no right to save …
        sys.exit(f"error: W&B did not save the workspace: {' '.join(str(error).split())}")


def workspace(entity: str, project: str, name: str, studies: Sequence[str] | None = None) -> Any:
    """The ``Workspace``, not saved yet.

    Args:
        studies: whose sections and whose runs; None: all sections and every run of the project
    """
    ws, _ = _import()
    base: Any = ws.Workspace

    class Ungrouped(base):  # type: ignore[misc]  # of an optional package
        """Runs are grouped in the list only: a panel that averaged a sweep would hide it."""

        def _to_model(self) -> Any:
            view = super()._to_model()
            section = view.spec.section
            for part in (section, *section.panel_bank_config.sections):
                settings = part.settings if part is section else part.local_panel_settings
                settings.use_runs_table_grouping_in_panels = False
            return view

    sections = [
        study_section(study) for study in map(find_study, studies or study_names()) if study
    ]
    chosen = ws.And(ws.Config("study.name").isin(list(studies))) if studies else ""
    return Ungrouped(
        entity=entity,
        project=project,
        name=name,
        sections=sections if studies else [any_section(), *sections],
        settings=ws.WorkspaceSettings(max_runs=RUNS),
        runset_settings=ws.RunsetSettings(
            filters=chosen,
            groupby=[ws.Metric("Group"), ws.Metric("JobType")],
            pinned_columns=["run:displayName", "summary:psnr", "summary:ssim"],
        ),
    )


def study_section(study: Study) -> Any:
    """The ``Section`` of one study: report, curves, results and every run's sheet."""
    ws, wr = _import()
    name, compared = study.name, study.comparison
    text = f"### {name}\n{study.question} {study.published}\n\n`python run.py -m study={name}`"
    report = [f"{name}/{figure}" for figure in (*REPORT, *compared.figures)]
    keys = {result: f"{name}/{result}" for result in compared.results}
    return ws.Section(
        name=name,
        is_open=True,
        panels=[
            wr.MarkdownPanel(markdown=text),
            wr.MediaBrowser(title="report", media_keys=report, num_columns=2),
            wr.MediaBrowser(title="every run", media_keys=[f"{name}/sheet"], num_columns=3),
            curves(f"{name}/loss", wr.Config(compared.by), f"loss by {compared.by}"),
            *(bars(key, compared.by, f"{r} by {compared.by}") for r, key in keys.items()),
            *(
                wr.ScatterPlot(
                    title=f"{result} against {axis}",
                    x=wr.Config(axis),
                    y=wr.SummaryMetric(key),
                    log_x=axis == "style_to_content" or None,
                )
                for axis in compared.across
                for result, key in keys.items()
            ),
            wr.WeavePanelSummaryTable(table_name=f"{name}/runs"),
        ],
    )


def any_section() -> Any:
    """The ``Section`` of sweeps that belong to no study: the keys that every run has."""
    ws, wr = _import()
    depth = wr.Config("layers.content_depth")
    content, style = (wr.SummaryMetric(f"losses_unweighted.{k}") for k in ("content", "style"))
    return ws.Section(
        name="all runs",
        panels=[
            curves("loss/total", "Group", "loss by sweep"),
            wr.ScatterPlot(title="PSNR against depth", x=depth, y=wr.SummaryMetric("psnr")),
            wr.ScatterPlot(title="SSIM against depth", x=depth, y=wr.SummaryMetric("ssim")),
            wr.ScatterPlot(
                title="content against style loss, before their weights",
                x=style,
                y=content,
                log_x=True,
                log_y=True,
            ),
            wr.MediaBrowser(title="sheets", media_keys=["sheet"], num_columns=3),
            wr.MediaBrowser(title="reports", media_keys=[f"report/{name}" for name in REPORT]),
            wr.RunComparer(diff_only="split"),
        ],
    )


def curves(key: str, by: Any, title: str) -> Any:
    """A metric against the step, a mean and a range for each group."""
    _, wr = _import()
    return wr.LinePlot(
        title=title,
        y=[key],
        log_y=True,
        groupby=by,
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=RUNS,
    )


def bars(key: str, by: str, title: str) -> Any:
    """A result, a bar for each group."""
    _, wr = _import()
    return wr.BarPlot(
        title=title,
        metrics=[key],
        groupby=wr.Config(by),
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=RUNS,
        max_bars_to_show=RUNS,
    )


def _import() -> tuple[Any, Any]:
    """Workspaces and panels; the package warns of its own use of pydantic when it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from wandb_workspaces import workspaces
        from wandb_workspaces.reports import v2 as panels
    return workspaces, panels


def _require_server() -> None:
    """End here when the server does not answer; W&B itself tries for longer and says less."""
    import wandb

    url = os.environ.get("WANDB_BASE_URL") or wandb.setup().settings.base_url
    try:
        urllib.request.urlopen(url, timeout=20).close()
    except urllib.error.HTTPError:
        return  # it answers
    except OSError as error:
        sys.exit(f"error: no answer from W&B at {url} ({error})")


def _default_entity() -> str:
    import wandb

    return str(wandb.Api().default_entity)


if __name__ == "__main__":
    main()
