"""The data as a picture: how many examples of each class every client has."""

from __future__ import annotations

import numpy as np

from fedcli.runs.report.charts import bars, matrix
from fedcli.runs.report.content import Block, Facts, Figure, PageSection, Point, Text, View
from fedcli.runs.report.quantities import counted, number
from fedcli.runs.report.subject import Subject

_MOST_CELLS = 20_000
"""Cells of the picture. With more a browser is slow, and nobody sees them."""


def divided_data(subject: Subject) -> PageSection:
    """Clients by classes, their sizes, and how unequal they are."""
    title, split = "How the data were divided", subject.split
    if isinstance(split, str):
        return PageSection(title, [Text(split, "remark")], "Data")
    counts, classes = split.counts, split.classes
    num_clients, sizes = len(counts), counts.sum(axis=1)
    shown = min(num_clients, _MOST_CELLS // max(1, len(classes)))
    seeds = (
        ""
        if subject.is_single
        else f" This is {subject.first.run.folder.name}; other seeds divide otherwise."
    )
    rest = "" if shown == num_clients else f" The first {shown:,} of {num_clients:,} clients are shown."
    caption = (
        "Training examples of each client, its validation examples included, calculated again from config and seed."
        f"{seeds}{rest}"
    )
    blocks: list[Block] = []
    if classes:
        cells: list[Point] = [
            {"client": str(client), "class": name, "examples": int(counts[client, index])}
            for client in range(shown)
            for index, name in enumerate(classes)
        ]
        blocks.append(
            Figure(
                "Examples by client and class (darker is more)",
                [View("clients", matrix(shown, len(classes)), cells)],
                caption,
            )
        )
    sized: list[Point] = [{"client": str(client), "examples": int(sizes[client])} for client in range(shown)]
    blocks.append(
        Figure(
            "Examples by client",
            [View("clients", bars("client", "client", "examples", "examples"), sized)],
            caption,
        )
    )
    facts = [
        ("clients", [f"{num_clients:,}"]),
        ("examples", [f"{counted(int(sizes.sum()), 'training example')}, {split.num_test:,} for the test"]),
        (
            "sizes",
            [f"{sizes.min():,} to {sizes.max():,}, median {number(float(np.median(sizes)))}"],
        ),
    ]
    if classes:
        facts.append(("labels", [_skew(counts)]))
    return PageSection(title, [*blocks, Facts(facts)], "Data")


def _skew(counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> str:
    shares = counts / counts.sum(axis=1, keepdims=True)
    overall = counts.sum(axis=0) / counts.sum()
    distance = float(np.abs(shares - overall).sum(axis=1).mean() / 2)
    present = float((counts > 0).sum(axis=1).mean())
    return (
        f"a client has {number(present)} of {counts.shape[1]} classes on average; the mean total variation distance of "
        f"its labels from those of all is {distance:.3f} (0 is alike, 1 is disjoint)"
    )
