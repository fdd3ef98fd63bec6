"""Figures of a round that a run with `privacy.publish: noised-only` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fedcli.core.column import Column
from fedcli.core.sampling_scheme import Sampling

Row = dict[str, Any]
"""One line of metrics.jsonl or clients.jsonl."""

_VOID = "void: nothing was released; the round is charged"


def noised_only(record: Row, columns: Mapping[str, Column], sampling: Sampling) -> Row:
    """The figures of a round that depend only on noised values, the config and the central test set.

    The test set belongs to no client, so figures of a noised model on it reveal no more than the model. The planned
    number of clients is kept where it is a constant. Everything else is left out: training and validation metrics,
    counts, bytes, times, and columns that are not declared. The note of a void round is replaced by one without the
    reason, which may say how many updates arrived.

    Args:
        record: the round.
        columns: those of the run, by name.
        sampling: how its cohorts are drawn.
    """
    has_fixed_cohorts = sampling.scheme in ("fixed", "full")
    left = {
        name: value
        for name, value in record.items()
        if name in columns and columns[name].may_leave(has_fixed_cohorts=has_fixed_cohorts)
    }
    return left | {"note": _VOID} if str(left.get("note", "")).startswith("void: ") else left


def published_from_data(records: Sequence[Row], columns: Mapping[str, Column]) -> set[str]:
    """Names of the figures in `records` that are calculated from data and published without noise.

    What is not declared counts as calculated from data.
    """
    names = {name for record in records for name in record}
    return {name for name in names if name not in columns or columns[name].source != "config"}
