"""The figure by which a run is judged, and its best and its last value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeGuard

if TYPE_CHECKING:
    from fedcli.engine.records import Row


class Headline(NamedTuple):
    """A column of metrics.jsonl, and two of its values.

    Args:
        column: its name, such as `test/accuracy`.
        better: whether a larger value is better, or a smaller one.
        best_round: the round of the best value; of equal values, the first.
        best: the best value.
        last_round: the last round that has a value.
        last: its value.
    """

    column: str
    better: Literal["up", "down"]
    best_round: int
    best: float
    last_round: int
    last: float


def headline(records: Sequence[Row], preferred: Iterable[str] = ()) -> Headline | None:
    """The headline of a run; None if no round has a finite value of any column that could be one.

    Args:
        records: the rounds of metrics.jsonl.
        preferred: columns to take before all others, such as the one that early stopping watches.
    """
    # Here, since it loads the engine, and a list of runs that have a summary needs none.
    from fedcli.engine.run_columns import best_is

    for column in (*preferred, *_candidates(records)):
        values = [(int(row["round"]), float(row[column])) for row in records if is_finite(row.get(column))]
        if values:
            is_loss = best_is(column) == "min"
            best = (min if is_loss else max)(value for _, value in values)
            first = next(round for round, value in values if value == best)
            return Headline(column, "down" if is_loss else "up", first, best, *values[-1])
    return None


def is_finite(value: object) -> TypeGuard[float]:
    """Whether a value of a record is a number that can be compared."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _candidates(records: Sequence[Row]) -> list[str]:
    """Metrics before losses, and the test set before the clients' validation examples."""
    names = dict.fromkeys(name for row in records for name in row)
    groups = [[name for name in names if name.startswith(part)] for part in ("test/", "validation/")]
    # A mean over clients has its spread in longer names.
    plain = [[name for name in group if name.count("/") == 1] for group in groups]
    return [name for group in plain for name in sorted(group, key=lambda name: name.endswith("/loss"))]
