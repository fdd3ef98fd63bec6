"""How evenly the clients are served: the spread of a metric over the clients, round by round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fedcli.core.errors import ConfigError
from fedcli.runs.course import course_of
from fedcli.runs.headline import is_finite
from fedcli.runs.report.charts import lines, scatter
from fedcli.runs.report.content import Block, Figure, PageSection, Point, Text, View
from fedcli.runs.report.learning import points_of
from fedcli.runs.report.subject import UNCOVERED_SECTION, Subject


def client_spread(subject: Subject) -> PageSection:
    """Deciles over the clients, as evaluated on their validation examples or, without these, as they trained."""
    return PageSection("How it differs between clients", list(_blocks(subject)), "Clients")


def _blocks(subject: Subject) -> Iterator[Block]:
    if subject.is_private:
        yield Text(UNCOVERED_SECTION, "warning")
    measured = _evaluated(subject)
    if measured:
        yield measured
    elif subject.clients:
        yield Text(
            "The clients' models were not evaluated on their validation examples (evaluation.clients), so that "
            "this is how well the clients did on their own training examples while they trained.",
            "remark",
        )
        yield from _while_training(subject)
    else:
        yield Text("The run has no figures of single clients.", "remark")
        return
    yield from _last_turns(subject)


def _evaluated(subject: Subject) -> Figure | None:
    metrics = [name for name in (subject.metric, "accuracy", "loss") if subject.has(f"validation/{name}/p50")]
    if not metrics:
        return None
    column = f"validation/{metrics[0]}"
    try:
        courses = [course_of(group, column, "rounds", clients=True) for group in subject.groups]
    except ConfigError:
        return None
    series, points = [course.label for course in courses], points_of(courses, has_band=True)
    if subject.is_single:
        names = {"worst": "worst client", "worst_decile": "mean of the worst tenth"}
        points = [{**point, "series": "median client"} for point in points]
        # Where so few clients are that their worst tenth is one client, both are the same line.
        if all(row.get(f"{column}/worst") == row.get(f"{column}/worst_decile") for row in subject.records):
            del names["worst_decile"]
        series = ["median client", *names.values()]
        for key, name in names.items():
            points += [
                {"series": name, "x": row["round"], "y": row[f"{column}/{key}"]}
                for row in subject.records
                if is_finite(row.get(f"{column}/{key}"))
            ]
    caption = "The band is from the tenth to the ninetieth of a hundred clients"
    if not subject.is_single:
        caption += "; line and band are means over the runs of a group"
    return Figure(
        f"{column} over the clients",
        [View("rounds", lines("round", column, series, has_band=True), points)],
        f"{caption}. Each client has its own validation examples.",
        series,
    )


def _while_training(subject: Subject) -> Iterator[Block]:
    metric = subject.metric
    rounds: dict[int, list[float]] = {}
    for row in subject.clients:
        if is_finite(value := row.get(f"train/{metric}")) and not row.get("reason"):
            rounds.setdefault(int(row["round"]), []).append(float(value))
    points: list[Point] = []
    for round, values in sorted(rounds.items()):
        low, middle, high = np.percentile(values, [10, 50, 90])
        points.append(
            {
                "series": "median client",
                "x": round,
                "y": float(middle),
                "low": float(low),
                "high": float(high),
            }
        )
    if points:
        yield Figure(
            f"train/{metric} over the clients of each round",
            [View("rounds", lines("round", f"train/{metric}", ["median client"], has_band=True), points)],
            f"The band is from p10 to p90 of the clients that were accepted in the round. {subject.of_first}",
        )


def _last_turns(subject: Subject) -> Iterator[Block]:
    """A dot for each client: its examples, and how well it did in its last turn."""
    metric = f"train/{subject.metric}"
    last = {
        row["client"]: row
        for row in subject.clients
        if is_finite(row.get(metric)) and is_finite(row.get("examples"))
    }
    kinds = ["malicious" if row.get("malicious") is True else "honest" for row in last.values()]
    points: list[Point] = [
        {"client": str(client), "series": kind, "x": row["examples"], "y": row[metric]}
        for (client, row), kind in zip(last.items(), kinds, strict=True)
    ]
    # Where most clients have as many examples as another one, the dots are on a few lines and show nothing.
    if len({point["x"] for point in points}) > max(2, len(points) // 4):
        series = _present(["honest", "malicious"], kinds)
        yield Figure(
            "Every client in its last turn",
            [View("clients", scatter("training examples", metric, series), points)],
            f"A dot is a client: its number of training examples, and {metric} while it trained. {subject.of_first}",
            series if len(series) > 1 else (),
        )


def _present(names: Sequence[str], found: Sequence[str]) -> list[str]:
    return [name for name in names if name in found]
