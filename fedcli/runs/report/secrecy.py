"""Encryption and proofs: who sees what of an update, which assumption that rests on, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fedcli.components.encryption import costs
from fedcli.components.proofs import timed_jobs
from fedcli.engine.records import Row
from fedcli.runs.headline import is_finite
from fedcli.runs.report.charts import stacked
from fedcli.runs.report.content import (
    Block,
    Cell,
    Facts,
    Figure,
    Folded,
    PageSection,
    Point,
    SortableTable,
    Text,
    View,
)
from fedcli.runs.report.quantities import cell, duration, number, size
from fedcli.runs.report.subject import Subject, about
from fedcli.store import directory

_COLUMNS = (*costs.COLUMNS, costs.OF_COMMITTEES, *timed_jobs.COLUMNS)
_PARTS = {
    costs.ENCRYPT_SECONDS: "encrypt",
    costs.ADD_SECONDS: "add",
    costs.OPEN_SECONDS: "open",
    timed_jobs.PROVE_SECONDS: "prove",
    timed_jobs.VERIFY_SECONDS: "verify",
}


def secrecy(subject: Subject) -> PageSection:
    """Of the first run that encrypts or proves; empty if none does."""
    return PageSection("Encryption and proofs", list(_blocks(subject)), "Encryption")


def _blocks(subject: Subject) -> Iterator[Block]:
    run = next((run for run in subject.runs if _uses_any(subject.experiment_of(run))), None)
    if run is None:
        return
    experiment, folder, records = subject.experiment_of(run), run.run.folder, run.records
    if not subject.is_single:
        yield Text(f"Of {folder.name}, the first of the runs that encrypts or proves.", "remark")
    plan = directory.read_json_if_there(folder, directory.ENCRYPTION)
    if plan is None:
        yield Text("Updates are not encrypted: the server sees every single one.", "warning")
    else:
        yield Text(f"Updates are encrypted ({plan['name']}), which rests on this: {plan['assumes']}.")
        seen: dict[str, list[str]] = {}
        for each in plan["sees"]:
            seen.setdefault(str(each["who"]), []).append(str(each["what"]))
        yield Facts(list(seen.items()), "Who sees what")
    if experiment.proofs is not None:
        yield Text(
            f"Every client proves ({experiment.proofs.name}) that its update keeps its bound; the server "
            "verifies the proofs, and anybody can do so later with `fedcli verify`. No cryptographer has reviewed how "
            "the proofs are composed."
        )
    yield from _costs(records)
    if plan is not None:
        yield Folded("Parameters of the encryption", [Facts(list(_parameters(plan)))])


def _uses_any(experiment: Any) -> bool:
    return experiment.encryption is not None or experiment.proofs is not None


def _costs(records: list[Row]) -> Iterator[Block]:
    present = [column for column in _PARTS if any(is_finite(row.get(column)) for row in records)]
    points: list[Point] = [
        {"x": row["round"], "y": row[column], "series": _PARTS[column], "order": order}
        for row in records
        for order, column in enumerate(present)
        if is_finite(row.get(column))
    ]
    if points:
        series = [_PARTS[column] for column in present]
        yield Figure(
            "Seconds of each round",
            [View("rounds", stacked("round", "seconds", series), points)],
            "Time to encrypt and to prove is summed over all clients, that to verify over the processes of the server, "
            "so that the sum may be longer than the round.",
            series,
        )
    rows = []
    for column in _COLUMNS:
        values = [float(row[column.name]) for row in records if is_finite(row.get(column.name))]
        if values:
            words = {"seconds": duration, "bytes": size}.get(column.unit, number)
            rows.append(
                [
                    Cell(column.name),
                    Cell(about(column.name, _COLUMNS)),
                    cell(sum(values) / len(values), words),
                    cell(sum(values), words),
                ]
            )
    if rows:
        yield SortableTable("What it cost", ["figure", "what it is", "mean of a round", "in all"], rows)


def _parameters(plan: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for name, value in plan.items():
        if name in ("sees", "assumes") or value is None:
            continue
        told = (
            ", ".join(map(str, value))
            if isinstance(value, list)
            else number(value)
            if is_finite(value)
            else str(value)
        )
        yield name.replace("_", " "), [told]
