"""Courses as a picture: a curve for each group of runs, with its band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fedcli.runs.course import Course
from fedcli.runs.course_axis import AXES
from fedcli.runs.drawing import COLOURS, Form, encoded, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def course_picture(courses: Sequence[Course], column: str, axis: str, form: Form) -> bytes:
    """The courses of a column in one panel, as the content of a file of the kind `form`."""
    return encoded(course_figure(courses, column, axis), form)


def course_figure(courses: Sequence[Course], column: str, axis: str) -> Figure:
    """The courses of a column in one panel.

    Args:
        courses: at least one.
        column: what is drawn.
        axis: what it is drawn over, in words.
    """
    from matplotlib.ticker import MaxNLocator

    with new_figure(9) as figure:
        axes = figure.add_axes((0.07, 0.09, 0.91, 0.84))
        for number, course in enumerate(courses):
            colour = COLOURS[number % len(COLOURS)]
            # After as many groups as there are colours, the line tells them apart.
            style = ("-", "--", ":", "-.")[number // len(COLOURS) % 4]
            axes.plot(course.x, course.middle, style, color=colour, linewidth=2, label=course.label)
            if course.band:
                axes.fill_between(course.x, course.low, course.high, color=colour, alpha=0.2, linewidth=0)
        bands = dict.fromkeys(course.band for course in courses if course.band)
        axes.set_title(f"{column} (band: {', '.join(bands)})" if bands else column)
        axes.set_xlabel(axis)
        if axis == AXES["rounds"]:
            # There is no round 1.25.
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
        return figure
