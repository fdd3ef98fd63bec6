"""The columns of one run, and for a column of any run, whether a larger or a smaller value is better."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from fedcli.components.clients.runtime.task import SCORES, higher_is_better
from fedcli.core.column import Better, Column, File
from fedcli.engine.client_columns import CLIENT_GROUPS
from fedcli.engine.round_columns import AFTER_MECHANISMS, BEFORE_MECHANISMS, Group

if TYPE_CHECKING:
    from fedcli.engine.setup import Setup

DECLARED = tuple(
    column
    for groups in (BEFORE_MECHANISMS, AFTER_MECHANISMS, CLIENT_GROUPS)
    for group in groups
    for column in group.columns
)
"""Every column of the engine; patterns are not expanded."""
_DECILES = ("p10", "p50", "p90")


def columns_of(setup: Setup, file: File = "metrics.jsonl") -> dict[str, Column]:
    """The columns that a run may have in a file, by name, in the order in which they are shown."""
    columns = [
        *_those_of(setup, BEFORE_MECHANISMS),
        *setup.protocol.strategy.columns,
        *_those_of(setup, AFTER_MECHANISMS),
        *_those_of(setup, CLIENT_GROUPS),
    ]
    # A person looks at the metrics before the loss.
    metrics = (*setup.training.task.metrics, "loss")
    here = (column for column in columns if column.file == file)
    scores = setup.training.task.scores
    return {each.name: each for column in here for each in expanded(column, metrics, scores)}


def expanded(column: Column, metrics: Iterable[str], scores: Iterable[str] = SCORES) -> Iterator[Column]:
    """The columns that a pattern stands for; a column that is not a pattern is returned as it is.

    Args:
        column: as it is declared.
        metrics: the names that `<metric>` stands for.
        scores: the names that `<score>` stands for.
    """
    names = scores if "<score>" in column.name else metrics if "<metric>" in column.name else ("",)
    for metric in names:
        for decile in _DECILES if "<decile>" in column.name else ("",):
            name = column.name.replace("<metric>", metric).replace("<score>", metric)
            name = name.replace("<decile>", decile)
            yield column._replace(
                name=name, better=_of_metric(metric) if column.better == "metric" else column.better
            )


def better(name: str, mechanisms: Iterable[Column] = ()) -> Better:
    """Whether a larger or a smaller value of a column of metrics.jsonl is better.

    Args:
        name: its name. If it is not declared, it is taken for the name of a metric.
        mechanisms: the columns of the run's mechanisms.
    """
    # The task's metrics are not known here, so each word of the name is tried as the metric of a pattern.
    words = name.split("/")
    columns = (column for column in (*DECLARED, *mechanisms) if column.file == "metrics.jsonl")
    for each in (concrete for column in columns for concrete in expanded(column, words)):
        if each.name == name and each.better != "metric":
            return each.better
    return _of_metric(name)


def meant_column(name: str, known: Iterable[str]) -> str:
    """`Did you mean test/accuracy?` for a name without its place such as `accuracy`, or a misspelt one; else empty."""
    # The shortest of those that end so: a mean over clients has its spread in longer names.
    ending = name.lower().replace(" ", "_")
    same = sorted(
        (each for each in known if f"/{each}".endswith(f"/{ending}")), key=lambda each: each.count("/")
    )
    # Names in one place share its beginning, so that half of their letters make no misspelling of test/f1.
    near = same or difflib.get_close_matches(ending, list(known), n=1, cutoff=0.7)
    return f"Did you mean {near[0]}?" if near else ""


def best_is(name: str, mechanisms: Iterable[Column] = ()) -> Literal["min", "max"]:
    """Whether the smallest or the largest value of a column is the best; the largest if neither is better."""
    return "min" if better(name, mechanisms) == "down" else "max"


def _those_of(setup: Setup, groups: Sequence[Group]) -> list[Column]:
    return [column for group in groups if group.has(setup) for column in group.columns]


def _of_metric(name: str) -> Better:
    return "up" if higher_is_better(name) else "down"
