"""The course of learning: the metric and the loss, over rounds and over what the rounds cost."""

from __future__ import annotations

from collections.abc import Iterator

from fedcli.core.errors import ConfigError
from fedcli.runs.course import Course, course_of
from fedcli.runs.course_axis import AXES
from fedcli.runs.curves import panels_of
from fedcli.runs.report.charts import lines
from fedcli.runs.report.content import Block, Figure, PageSection, Point, View
from fedcli.runs.report.subject import Subject


def learning(subject: Subject) -> PageSection:
    """The curves: of one run its test, validation and training values, of several a curve for each group."""
    made = _of_one_run if subject.is_single else _of_groups
    return PageSection("How it learned", list(made(subject)), "Curves")


def _of_one_run(subject: Subject) -> Iterator[Block]:
    for panel in panels_of(subject.records):
        # What it cost is in a section of its own.
        if not any("/" in name for name in {line.name for line in panel.lines} - {"simulated/seconds"}):
            continue
        series = [line.name for line in panel.lines]
        points: list[Point] = [
            {"series": line.name, "x": round, "y": value}
            for line in panel.lines
            for round, value in zip(line.rounds, line.values, strict=True)
        ]
        views = [View("rounds", lines("round", panel.title, series), points)]
        if subject.metric == panel.title:
            views += _views(subject, subject.column, axes=("bytes", "seconds", "epsilon"))
        caption = "One run, so that there is no band: another seed would give another curve."
        yield Figure(panel.title, views, caption, series)


def _of_groups(subject: Subject) -> Iterator[Block]:
    part = subject.column.rpartition("/")[0]
    for column in dict.fromkeys([subject.column, f"{part}/loss"]):
        views = _views(subject, column, axes=tuple(AXES))
        if not views:
            continue
        several = max(len(group.runs) for group in subject.groups)
        caption = (
            f"Lines are means over the runs of a group, which differ in the seed; bands are plus and minus one "
            f"standard deviation over these runs (up to {several})."
            if several > 1
            else "One run for each line, so that there are no bands: other seeds would give other curves."
        )
        yield Figure(column, views, caption, [group.label for group in subject.groups])


def _views(subject: Subject, column: str, axes: tuple[str, ...]) -> list[View]:
    """The column over each axis that all runs have."""
    found = []
    for axis in AXES:
        if axis not in axes:
            continue
        try:
            courses = [course_of(group, column, axis) for group in subject.groups]
        # A run without devices has no simulated seconds, one without noise no epsilon.
        except ConfigError:
            continue
        series = [course.label for course in courses]
        has_band = any(course.band for course in courses)
        found.append(
            View(axis, lines(AXES[axis], column, series, has_band=has_band), points_of(courses, has_band))
        )
    return found


def points_of(courses: list[Course], has_band: bool) -> list[Point]:
    """The numbers of courses, a row for each position."""
    found: list[Point] = []
    for course in courses:
        for x, middle, low, high in zip(course.x, course.middle, course.low, course.high, strict=True):
            edges = {"low": low, "high": high} if has_band else {}
            found.append({"series": course.label, "x": x, "y": middle, **edges})
    return found
