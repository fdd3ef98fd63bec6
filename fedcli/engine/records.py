"""Figures of a round that a run with `privacy.publish: noised-only` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fedcli.core.column import Column
from fedcli.core.sampling_scheme import Sampling
from fedcli.engine.round_columns import AFTER_MECHANISMS, BEFORE_MECHANISMS

Row = dict[str, Any]
"""One line of metrics.jsonl or clients.jsonl."""

_ENGINE = {
    column.name: column for group in (*BEFORE_MECHANISMS, *AFTER_MECHANISMS) for column in group.columns
}
_VOID = "void: nothing was released; the round is charged"


def noised_only(
    record: Row, columns: Mapping[str, Column], sampling: Sampling, *, has_public_test: bool
) -> Row:
    """The figures of a round that depend only on noised values, the config and a public test set.

    If the test set belongs to no client, figures of a noised model on it reveal no more than the model. If it consists
    of clients' own rows, they are left out. The planned number of clients is kept where it is a constant. Everything
    else is left out: training and validation metrics, counts, bytes, times, and columns that are not declared. The note
    of a void round is replaced by one without the reason, which may say how many updates arrived. One that says which
    clients failed is left out.

    Args:
        record: the round.
        columns: those of the run, by name.
        sampling: how its cohorts are drawn.
        has_public_test: whether the test set holds no rows of clients.
    """
    known = {"has_fixed_cohorts": sampling.scheme in ("fixed", "full"), "has_public_test": has_public_test}
    left = {
        name: value for name, value in record.items() if name in columns and columns[name].may_leave(**known)
    }
    note = str(left.get("note", ""))
    if note.startswith("failed: "):
        del left["note"]
    return left | {"note": _VOID} if note.startswith("void: ") else left


def published_from_data(records: Sequence[Mapping[str, Any]], columns: Mapping[str, Column]) -> set[str]:
    """Names of the figures in `records` that are calculated from data and published without noise.

    What is not declared, by the engine or in `columns`, counts as calculated from data.
    """
    from_config = {name for name, column in {**_ENGINE, **columns}.items() if column.source == "config"}
    return {name for record in records for name in record} - from_config
