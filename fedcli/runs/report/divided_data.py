"""The data as a picture: how many examples of each class every client has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fedcli.runs.data_split import DataSplit
from fedcli.runs.headline import is_finite
from fedcli.runs.report.charts import matrix, stacked
from fedcli.runs.report.content import Block, Facts, Figure, PageSection, Point, Text, View
from fedcli.runs.report.quantities import counted, number
from fedcli.runs.report.subject import UNCOVERED_SECTION, Subject

_MOST_CELLS = 20_000
"""Cells of the picture. With more a browser is slow, and nobody sees them."""


def divided_data(subject: Subject) -> PageSection:
    """Clients by classes, their sizes, and how unequal they are."""
    title, known = "How the data were divided", subject.split
    if isinstance(known, str):
        return PageSection(title, [Text(known, "remark"), *_sizes_in_log(subject)], "Data")
    split, num_clients = known.clients, len(known.clients.sizes)
    shown = min(num_clients, _MOST_CELLS // max(1, len(split.classes)))
    told = ["Calculated again from config and seed."]
    if not subject.is_single:
        told.append(f"This is {subject.first.run.folder.name}; other seeds divide otherwise.")
    if shown < num_clients:
        told.append(f"The first {shown:,} of {num_clients:,} clients are shown.")
    whole = split.whole
    if split.is_sample:
        told.append(
            f"Of {whole.num_clients:,} clients these are {num_clients:,}, at equal distances by their numbers."
        )
    figures = [_sizes(split, shown, " ".join(told))]
    if split.classes:
        figures.insert(0, _classes(split, shown, " ".join(told)))
    examples = (
        f"{counted(whole.num_train + whole.num_validation, 'example')} of clients, "
        f"{known.num_test:,} for the central test"
    )
    facts = [("clients", [f"{whole.num_clients:,}"]), ("examples", [examples]), *_unequal(split)]
    warnings = [Text(UNCOVERED_SECTION, "warning")] if subject.is_private else []
    return PageSection(title, [*warnings, *figures, Facts(facts)], "Data")


def _sizes_in_log(subject: Subject) -> Iterator[Block]:
    """The sizes of the clients that had a turn, which is what the log has of the split."""
    examples = {row["client"]: row["examples"] for row in subject.clients if is_finite(row.get("examples"))}
    if not examples:
        return
    if subject.is_private:
        yield Text(UNCOVERED_SECTION, "warning")
    shown = sorted(examples)[:_MOST_CELLS]
    points: list[Point] = [
        {"x": str(client), "y": examples[client], "series": "training", "order": 0} for client in shown
    ]
    yield Figure(
        "Training examples by client",
        [View("clients", stacked("client", "examples", ["training"]), points)],
        f"Of the {counted(len(examples), 'client')} that had a turn, from the log of the run.",
    )


def _classes(split: DataSplit, shown: int, caption: str) -> Figure:
    cells: list[Point] = [
        {"client": split.names[client], "class": name, "examples": int(split.counts[client, index])}
        for client in range(shown)
        for index, name in enumerate(split.classes)
    ]
    spec = matrix(shown, len(split.classes))
    return Figure("Examples by client and class (stronger is more)", [View("clients", spec, cells)], caption)


def _sizes(split: DataSplit, shown: int, caption: str) -> Figure:
    parts = {"training": split.num_train, "validation": split.num_validation}
    present = {name: sizes for name, sizes in parts.items() if sizes.any()}
    points: list[Point] = [
        {"x": split.names[client], "y": int(sizes[client]), "series": name, "order": order}
        for order, (name, sizes) in enumerate(present.items())
        for client in range(shown)
    ]
    spec = stacked("client", "examples", list(present))
    return Figure(
        "Examples by client",
        [View("clients", spec, points)],
        caption,
        list(present) if len(present) > 1 else (),
    )


def _unequal(split: DataSplit) -> Iterator[tuple[str, list[str]]]:
    sizes = split.sizes
    yield "sizes", [f"{sizes.min():,} to {sizes.max():,}, median {number(float(np.median(sizes)))}"]
    if split.classes:
        present = float((split.counts > 0).sum(axis=1).mean())
        distance = split.mean(split.total_variation)
        yield (
            "labels",
            [
                f"a client has {number(present)} of {len(split.classes)} classes on average",
                f"the total variation distance of its labels from those of all clients is {distance:.3f} on average "
                "(0 is alike, 1 is disjoint)",
            ],
        )
    else:
        distance = split.mean(split.earth_movers)
        yield (
            "targets",
            [
                "the earth mover's distance of a client's targets from those of all clients is "
                f"{distance:.3f} standard deviations on average"
            ],
        )
