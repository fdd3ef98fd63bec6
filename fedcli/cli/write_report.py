"""`fedcli report`: one page about runs, to read and to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedcli.cli.output import escaped, reported
from fedcli.cli.run_argument import Metric, RunPaths


def report(
    runs: RunPaths,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; by default report.html.", show_default=False),
    ] = None,
    metric: Metric = None,
) -> None:
    """Write a report of runs: one HTML file that needs no network, to open in a browser, print or hand on.

    Runs that differ in the seed only are one group, with the deviation over its runs.
    """
    with reported():
        from fedcli.runs.report import report_page

        target = output or Path("report.html")
        target.write_text(report_page(runs, metric), encoding="utf-8")
        typer.echo(escaped(str(target)))
