"""`fedcli plot`: the course of a metric, in the terminal or as a picture."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fedcli.cli.output import escaped, reported
from fedcli.cli.run_argument import Metric, RunPaths
from fedcli.runs.course_axis import AXES, Axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedcli.runs.course import Course

_MARKERS = ("*", "o", "+", "x", "#", "%")


def plot(
    runs: RunPaths,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A file to write: .png, .svg or .pdf.", show_default=False),
    ] = None,
    metric: Metric = None,
    x: Annotated[Axis, typer.Option("--x", help="What it is drawn over.")] = "rounds",
    clients: Annotated[
        bool, typer.Option("--clients", help="Draw the median client, and the clients' deciles as a band.")
    ] = False,
) -> None:
    """Plot a metric of runs; those that differ in the seed only are one curve, with their deviation as a band."""
    with reported():
        from fedcli.runs.comparison import compared, grouped
        from fedcli.runs.course import course_of
        from fedcli.runs.drawing import picture_form

        form = picture_form(output) if output else None
        found = compared(runs, metric)
        column = found[0].figures.column
        courses = [course_of(group, column, x, clients=clients) for group in grouped(found)]
        if output is None or form is None:
            _print(courses, column, AXES[x])
            return
        from fedcli.runs.course_picture import course_picture

        output.write_bytes(course_picture(courses, column, AXES[x], form))
        typer.echo(escaped(str(output)))


def _print(courses: Sequence[Course], column: str, axis: str) -> None:
    import plotext

    figure = plotext.figure
    figure.clear()
    for number, course in enumerate(courses):
        # Without colours, which suit either a dark or a light terminal, the marker tells the curves apart.
        marker = _MARKERS[number % len(_MARKERS)]
        figure.draw(figure.signal(course.x, course.middle, marker=marker).lines())
    if axis == AXES["rounds"]:
        last = max(course.x[-1] for course in courses)
        ticks = sorted({round(1 + (last - 1) * quarter / 4) for quarter in range(5)})
        figure.ruler("x").ticks(ticks, [f"{tick:,}" for tick in ticks])
    figure.title(f"{escaped(column)}, by {axis}")
    columns = shutil.get_terminal_size().columns
    figure.plot_size(min(100, columns), 20)
    typer.echo(figure.build().string(colorless=True))
    for number, course in enumerate(courses):
        marker = _MARKERS[number % len(_MARKERS)]
        spread = f" (band not drawn: {course.band})" if course.band else ""
        typer.echo(f"{marker} {escaped(course.label)}: {course.middle[-1]:.4g} at the end{spread}")
