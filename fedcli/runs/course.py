"""The course of a metric over rounds or over what they cost, with its spread over seeds or over clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fedcli.core.errors import ConfigError
from fedcli.runs.comparison import SeedGroup
from fedcli.runs.course_axis import Axis
from fedcli.runs.headline import is_finite

_COLUMNS: Mapping[Axis, str] = {
    "rounds": "round",
    "seconds": "simulated/seconds",
    "bytes": "bytes_up",
    "epsilon": "epsilon",
}


class Course(NamedTuple):
    """A curve with a band around it.

    Args:
        label: the group of runs.
        band: what the band is; empty without one.
        x: positions along the axis; where the seeds differ in them, their mean.
        middle: the mean over seeds, or the median client.
        low: lower edge of the band; the same as `middle` without a band.
        high: upper edge.
    """

    label: str
    band: str
    x: list[float]
    middle: list[float]
    low: list[float]
    high: list[float]


def course_of(group: SeedGroup, column: str, axis: Axis, *, clients: bool = False) -> Course:
    """The course of a column over the runs of a group.

    Args:
        group: runs that differ in the seed only.
        column: of metrics.jsonl.
        axis: what it is drawn over.
        clients: whether the band has the clients' deciles, p10 to p90, and the curve is the median client, instead of
            mean and standard deviation over the seeds.

    Raises:
        ConfigError: if no round of a run has the column, its deciles, or the column of the axis.
    """
    runs = [_points(run.records, column, axis, clients) for run in group.runs]
    for run, points in zip(group.runs, runs, strict=True):
        if not points:
            wanted = f"{column}/p10, /p50 and /p90" if clients else column
            deciles = sorted(
                {name[: -len("/p50")] for row in run.records for name in row if name.endswith("/p50")}
            )
            hint = "Choose another --metric or --x."
            if clients:
                known = (
                    f"--metric {' or '.join(deciles)}"
                    if deciles
                    else "a run with `evaluation: {clients: true}`"
                )
                hint = f"The deciles are over the clients' validation examples: use {known}."
            raise ConfigError(f"{run.run.folder} has no round with {wanted} and {_COLUMNS[axis]}.", hint=hint)
    # Seeds may end after different rounds; a mean over fewer of them would jump.
    rounds = sorted(set.intersection(*(set(points) for points in runs)))
    table = np.array([[points[round] for round in rounds] for points in runs], float).reshape(
        len(runs), -1, 4
    )
    x, low, middle, high = np.moveaxis(table, 2, 0)
    if clients:
        band = "p10 to p90 of the clients" + (f", means of {len(runs)} runs" if len(runs) > 1 else "")
        edges = (low.mean(0), high.mean(0))
    elif len(runs) > 1:
        spread = middle.std(0, ddof=1)
        edges, band = (
            (middle.mean(0) - spread, middle.mean(0) + spread),
            f"standard deviation of {len(runs)} runs",
        )
    else:
        edges, band = (middle[0], middle[0]), ""
    return Course(group.label, band, *(each.tolist() for each in (x.mean(0), middle.mean(0), *edges)))


def _points(
    records: Sequence[Mapping[str, Any]], column: str, axis: Axis, clients: bool
) -> dict[int, tuple[float, float, float, float]]:
    """Position, lower edge, middle and upper edge of every round that has them."""
    columns = [f"{column}/{decile}" for decile in ("p10", "p50", "p90")] if clients else [column] * 3
    found: dict[int, tuple[float, float, float, float]] = {}
    sent = 0.0
    for row in records:
        sent += row["bytes_up"] / 1e6 if is_finite(row.get("bytes_up")) else 0.0
        position = sent if axis == "bytes" else row.get(_COLUMNS[axis])
        low, middle, high = (row.get(name) for name in columns)
        if is_finite(position) and is_finite(low) and is_finite(middle) and is_finite(high):
            found[int(row["round"])] = (position, low, middle, high)
    return found
