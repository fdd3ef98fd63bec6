"""Three hooks into a run; no event bus."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from fedcli.core.rounds import RoundState

Record = Mapping[str, Any]
"""One line of metrics.jsonl."""


def _no_start(_records: Sequence[Record]) -> str | None:
    return None


def _no_round_end(_state: RoundState, _record: Record) -> str | None:
    return None


def _no_end(_state: RoundState, _records: Sequence[Record]) -> None:
    return None


class Callback(NamedTuple):
    """What a user may hang on a run.

    Args:
        on_start: the records so far (not empty when a run is resumed) -> a reason to stop, or None.
        on_round_end: `(state, record)` of a finished round, before it is committed -> a reason to stop, or None. The
            round that ends the run is then evaluated, if it was not.
        on_end: `(state, records)` at the normal end of a run.
    """

    on_start: Callable[[Sequence[Record]], str | None] = _no_start
    on_round_end: Callable[[RoundState, Record], str | None] = _no_round_end
    on_end: Callable[[RoundState, Sequence[Record]], None] = _no_end


def early_stop(*, metric: str, patience: int, mode: Literal["min", "max"]) -> Callback:
    """Stop when a metric has not improved for `patience` evaluations.

    It depends on the records only, so that a resumed run stops where the uninterrupted one would.

    Args:
        metric: name in metrics.jsonl, such as `test/accuracy`.
        patience: evaluations without a new best value, at least 1.
        mode: whether a smaller or a larger value is better.
    """
    values: list[float] = []
    best, worst = (min, math.inf) if mode == "min" else (max, -math.inf)

    def verdict() -> str | None:
        since_best = len(values) - 1 - values.index(best(values)) if values else 0
        if since_best < patience:
            return None
        return f"{metric} has not improved on {best(values):.4g} for {since_best} evaluations"

    def add(record: Record) -> None:
        if metric in record:
            value = record[metric]
            values.append(worst if value is None or not math.isfinite(value) else value)

    def on_start(records: Sequence[Record]) -> str | None:
        for record in records:
            add(record)
        return verdict()

    def on_round_end(_state: RoundState, record: Record) -> str | None:
        add(record)
        return verdict()

    return Callback(on_start, on_round_end)
