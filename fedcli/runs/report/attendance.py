"""Who took part: clients that dropped out, whose update was refused, or who were malicious."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from fedcli.engine.records import Row
from fedcli.runs.headline import is_finite
from fedcli.runs.report.charts import stacked
from fedcli.runs.report.content import (
    Block,
    Cell,
    Figure,
    Folded,
    PageSection,
    Point,
    SortableTable,
    Text,
    Tiles,
    View,
)
from fedcli.runs.report.quantities import cell, counted, share
from fedcli.runs.report.subject import UNCOVERED_SECTION, Subject

_OUTCOMES = {"accepted": "clients/finished", "absent": "clients/absent", "rejected": "clients/rejected"}
_MOST_ROWS = 20


def attendance(subject: Subject) -> PageSection:
    """Turns by what became of them, the reasons, and the clients concerned."""
    return PageSection("Who took part", list(_blocks(subject)), "Participation")


def _blocks(subject: Subject) -> Iterator[Block]:
    if not any(_total(run.records, column) for run in subject.runs for column in _OUTCOMES.values()):
        yield Text("The run does not publish who took part.", "remark")
        return
    if subject.is_private:
        yield Text(UNCOVERED_SECTION, "warning")
    if not subject.is_single:
        yield _of_groups(subject)
    totals = {name: _total(subject.records, column) for name, column in _OUTCOMES.items()}
    malicious, turns = _total(subject.records, "clients/malicious"), sum(totals.values())
    if subject.is_single:
        marked = [("malicious", f"{malicious:,}", "turns of attackers")] if malicious else []
        present = {name: count for name, count in totals.items() if count or name == "accepted"}
        yield Tiles(
            [
                ("turns", f"{turns:,}", "clients times rounds"),
                *((name, f"{count:,}", share(count, turns)) for name, count in present.items()),
                *marked,
            ]
        )
    if totals["accepted"] == turns and not malicious:
        whose = "" if subject.is_single else f" in {subject.first.run.folder.name}"
        yield Text(
            f"Every update of every round{whose} is in the model; nobody was absent, refused or malicious."
        )
        return
    yield from _of_first_run(subject, [name for name in _OUTCOMES if totals[name]], malicious)


def _of_groups(subject: Subject) -> SortableTable:
    columns = {**_OUTCOMES, "malicious": "clients/malicious"}
    rows = []
    for group in subject.groups:
        counts = [sum(_total(run.records, column) for run in group.runs) for column in columns.values()]
        rows.append([Cell(group.label), *map(cell, counts)])
    return SortableTable(
        "Turns of all runs", ["runs of", *columns], rows, "Clients times rounds, summed over the runs."
    )


def _of_first_run(subject: Subject, present: list[str], malicious: int) -> Iterator[Block]:
    points: list[Point] = [
        {"x": row["round"], "y": row[_OUTCOMES[name]], "series": name, "order": order}
        for row in subject.records
        for order, name in enumerate(present)
        if is_finite(row.get(_OUTCOMES[name]))
    ]
    spec = stacked("round", "clients", present)
    yield Figure("Turns by what became of them", [View("rounds", spec, points)], subject.of_first, present)
    rows = subject.clients
    reasons = Counter((str(row["reason"]), row.get("malicious") is True) for row in rows if row.get("reason"))
    if malicious and rows:
        yield _caught(rows)
    if reasons:
        yield SortableTable(
            "Why updates are not in the model",
            ["reason", "whose", "turns"],
            [
                [Cell(reason), Cell("malicious" if bad else "honest"), cell(count)]
                for (reason, bad), count in reasons.most_common(_MOST_ROWS)
            ],
            _left_out(len(reasons), "reason"),
        )
    yield from _by_client(rows)


def _caught(rows: list[Row]) -> SortableTable:
    found: dict[bool, list[int]] = {True: [0, 0], False: [0, 0]}
    for row in rows:
        found[row.get("malicious") is True][bool(row.get("reason"))] += 1
    return SortableTable(
        "Malicious and honest turns",
        ["clients", "turns", "in the model", "not in it", "share not in it"],
        [
            [
                Cell(name),
                cell(sum(found[bad])),
                cell(found[bad][0]),
                cell(found[bad][1]),
                Cell(share(found[bad][1], sum(found[bad])), found[bad][1]),
            ]
            for name, bad in (("malicious", True), ("honest", False))
        ],
        "What is not in the model was refused, or did not arrive. The simulation knows who is malicious; a server "
        "would not.",
    )


def _by_client(rows: list[Row]) -> Iterator[Folded]:
    turns: dict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        turns[row["client"]].update(
            [
                "turns",
                *(["lost"] if row.get("reason") else []),
                *(["malicious"] if row.get("malicious") is True else []),
            ]
        )
    concerned = [(client, each) for client, each in turns.items() if each["lost"] or each["malicious"]]
    concerned.sort(key=lambda each: (-each[1]["lost"], -each[1]["malicious"], each[0]))
    if concerned:
        table = SortableTable(
            "Clients that were absent, refused or malicious",
            ["client", "malicious", "turns", "not in the model"],
            [
                [
                    Cell(f"client {client}", client),
                    Cell("yes" if each["malicious"] else "no"),
                    cell(each["turns"]),
                    cell(each["lost"]),
                ]
                for client, each in concerned[:_MOST_ROWS]
            ],
            _left_out(len(concerned), "client"),
        )
        yield Folded(f"The {counted(len(concerned), 'client')} concerned", [table])


def _left_out(found: int, noun: str) -> str:
    return f"The first {_MOST_ROWS} of {counted(found, noun)}." if found > _MOST_ROWS else ""


def _total(records: list[Row], column: str) -> int:
    return int(sum(row[column] for row in records if is_finite(row.get(column))))
