"""The privacy statement: epsilon and its course, what it protects from whom, and what it does not cover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fedcli.core.errors import ConfigError
from fedcli.privacy import in_words, protected
from fedcli.runs.bound_statement import read_bound_statement
from fedcli.runs.comparison import Compared
from fedcli.runs.course_axis import AXES
from fedcli.runs.headline import is_finite
from fedcli.runs.report.charts import lines
from fedcli.runs.report.content import (
    Block,
    Bullets,
    Cell,
    Facts,
    Figure,
    Folded,
    PageSection,
    Point,
    SortableTable,
    Text,
    Tiles,
    View,
)
from fedcli.runs.report.quantities import cell, number
from fedcli.runs.report.subject import Subject

Statement = Mapping[str, Any]
_FIRST = ("epsilon", "means", "budget", "protects", "holds for")
# Lists that are long, and that a reader must not miss.
_LISTS = ("warning", "does not hold against", "not covered")


def guarantee(subject: Subject) -> PageSection:
    """What differential privacy the releases have; a sentence where there is none."""
    return PageSection("Privacy", list(_blocks(subject)))


def _blocks(subject: Subject) -> Iterator[Block]:
    stated = [(group.label, group.runs[0], _statement(group.runs[0])) for group in subject.groups]
    private = [(label, run, statement) for label, run, statement in stated if statement is not None]
    if not private:
        yield Text(
            "No noise is added, so that there is no differential privacy: whoever sees the models or the logs may "
            "learn about single clients from them."
        )
        return
    first = private[0][2]
    if len(stated) > 1:
        yield _compared(stated)
    else:
        yield Tiles(
            [
                ("epsilon", number(first["epsilon"]), f"after {first['rounds']:,} rounds"),
                ("delta", f"{first['delta']:g}", "probability to fail altogether"),
                ("protects", f"one {first['unit']}", str(first["relation"])),
            ]
        )
    yield _course(private)
    rows, lists = _worded(first)
    yield from (Text(sentence, "warning") for sentence in lists["warning"])
    if len(stated) > 1:
        yield Text(f"In full, the statement of {private[0][1].run.folder.name}:")
    shown = [row for row in rows if row[0] in _FIRST]
    yield Facts(shown)
    yield from (
        Bullets(title, lists[name])
        for name, title in (
            ("does not hold against", "It does not hold against"),
            ("not covered", "Not covered"),
        )
        if lists[name]
    )
    yield Text(
        "`fedcli privacy RUN --document privacy.html` writes the claim as a document to hand on.",
        "remark",
    )
    yield Folded("The rest of the statement", [Facts([row for row in rows if row not in shown])])


def _statement(run: Compared) -> Statement | None:
    try:
        return read_bound_statement(run.run.folder)
    # That is how the reader says that there is none.
    except ConfigError:
        return None


def _worded(statement: Statement) -> tuple[list[tuple[str, list[str]]], dict[str, list[str]]]:
    """The statement in words: labels with their sentences, and apart from them the long lists."""
    rows: list[tuple[str, list[str]]] = []
    lists: dict[str, list[str]] = {name: [] for name in _LISTS}
    heading = ""
    for label, sentence in in_words(statement):
        heading = label or heading
        if heading in lists:
            lists[heading].append(sentence)
        elif label:
            rows.append((label, [sentence]))
        else:
            rows[-1][1].append(sentence)
    return rows, lists


def _course(private: list[tuple[str, Compared, Statement]]) -> Figure:
    points: list[Point] = []
    for label, _, statement in private:
        # Before the first release nothing is spent.
        points.append({"series": label, "x": 0, "y": 0.0})
        points += [
            {"series": label, "x": int(round), "y": value}
            for round, value in statement["epsilon_after_round"].items()
            if is_finite(value)
        ]
    labels = [label for label, _, _ in private]
    return Figure(
        "Epsilon spent",
        [View("rounds", lines(AXES["rounds"], "epsilon", labels), points)],
        f"At delta {private[0][2]['delta']:g}, of all releases up to the round.",
        labels if len(labels) > 1 else (),
    )


def _compared(stated: list[tuple[str, Compared, Statement | None]]) -> SortableTable:
    rows = []
    for label, _, statement in stated:
        if statement is None:
            rows.append([Cell(label), Cell("no noise"), Cell(""), Cell(""), Cell("")])
            continue
        rows.append(
            [
                Cell(label),
                cell(statement["epsilon"]),
                Cell(f"{statement['delta']:g}", statement["delta"]),
                cell(statement["noise_multiplier"]),
                Cell(protected(statement["unit"], statement["relation"])),
            ]
        )
    return SortableTable(
        "Guarantees",
        ["runs of", "epsilon", "delta", "noise multiplier", "protects"],
        rows,
        "Of the first run of each group.",
    )
