"""What the runs took: time, bytes, memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fedcli.engine.records import Row
from fedcli.runs.headline import is_finite
from fedcli.runs.report.charts import lines, stacked
from fedcli.runs.report.content import Block, Cell, Figure, PageSection, Point, SortableTable, Text, View
from fedcli.runs.report.quantities import cell, duration, size, spread
from fedcli.runs.report.subject import Subject

_PHASES = {
    "seconds/train": "clients train",
    "seconds/aggregate": "server adds up",
    "seconds/evaluate": "evaluation",
}
_REST = "everything else"


def expenses(subject: Subject) -> PageSection:
    """Seconds of every round by what they were spent on, bytes of the clients, and the totals."""
    return PageSection("What it took", list(_blocks(subject)), "System")


def _blocks(subject: Subject) -> Iterator[Block]:
    yield from (_of_one_run(subject) if subject.is_single else _of_groups(subject))
    if not any(name.startswith("memory") for row in subject.records for name in row):
        yield Text("The run did not measure memory.", "remark")


def _of_one_run(subject: Subject) -> Iterator[Block]:
    records, series = subject.records, [*_PHASES.values(), _REST]
    points: list[Point] = [
        {"x": row["round"], "y": value, "series": name, "order": order}
        for row in records
        for order, (name, value) in enumerate(_phases(row).items())
    ]
    if points:
        later = [point for point in points if point["x"] != records[0]["round"]]
        spec = stacked("round", "seconds", series)
        views = [
            View("all rounds", spec, points),
            *([View("without the first", spec, later)] if later else []),
        ]
        caption = "On the machine below. The first round includes the time to compile the clients' program."
        yield Figure("Seconds of each round", views, caption, series)
    sent: list[Point] = []
    directions = {"bytes_up": "sent by the clients", "bytes_down": "received by the clients"}
    if all(row.get("bytes_up") == row.get("bytes_down") for row in records):
        directions = {"bytes_up": "sent by the clients, and as much received"}
    for column, name in directions.items():
        total = 0.0
        for row in records:
            if is_finite(row.get(column)):
                total += row[column] / 1e6
                sent.append({"series": name, "x": row["round"], "y": total})
    if sent:
        names = list(dict.fromkeys(str(point["series"]) for point in sent))
        yield Figure(
            "MB since the start",
            [View("rounds", lines("round", "MB", names), sent)],
            "Of all clients together, as counted by the simulation; no network is between them.",
            names,
        )
    rows = []
    for column, words, what in (
        ("seconds/total", duration, "time of all rounds"),
        ("seconds/train", duration, "waiting for the clients"),
        ("seconds/aggregate", duration, "checks, sum and the server's step"),
        ("seconds/evaluate", duration, "evaluation"),
        ("bytes_up", size, "sent by the clients"),
        ("bytes_down", size, "received by the clients"),
        ("simulated/round_seconds", duration, "simulated time"),
    ):
        values = [float(row[column]) for row in records if is_finite(row.get(column))]
        if values:
            rows.append(
                [
                    Cell(what),
                    cell(sum(values), words),
                    cell(float(np.mean(values)), words),
                    cell(max(values), words),
                ]
            )
    yield SortableTable("Time and bytes", ["what", "in all", "mean of a round", "largest round"], rows)


def _of_groups(subject: Subject) -> Iterator[Block]:
    series = [*_PHASES.values(), _REST]
    points: list[Point] = []
    rows = []
    for group in subject.groups:
        totals: dict[str, list[float]] = {name: [] for name in series}
        for run in group.runs:
            for name in series:
                totals[name].append(sum(_phases(row).get(name, 0.0) for row in run.records))
        points += [
            {"x": group.label, "y": float(np.mean(values)), "series": name, "order": order}
            for order, (name, values) in enumerate(totals.items())
        ]
        seconds = spread(group.values("seconds"), duration)
        rows.append(
            [
                Cell(group.label),
                seconds,
                spread(group.values("bytes up"), size),
                *(spread(values, duration) for values in totals.values()),
            ]
        )
    yield Figure(
        "Seconds of a run",
        [View("runs", stacked("", "seconds", series, has_groups=True), points)],
        "Means over the runs of a group. Runs beside each other on one machine slow each other down.",
        series,
    )
    yield SortableTable(
        "Time and bytes",
        ["runs of", "time", "sent", *series],
        rows,
        "± is the standard deviation over the runs.",
    )


def _phases(row: Row) -> dict[str, float]:
    """The seconds of a round by what they were spent on; empty if it has none."""
    if not is_finite(total := row.get("seconds/total")):
        return {}
    found = {name: float(row[column]) for column, name in _PHASES.items() if is_finite(row.get(column))}
    return {**found, _REST: max(0.0, total - sum(found.values()))}
