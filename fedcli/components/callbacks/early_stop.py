"""Early stopping on a metric of the records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from fedcli.components.callbacks.callback import Callback, Record, RunContext
from fedcli.core.rounds import RoundState


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
        # The first of equal values is the best: to reach it again is no improvement.
        since_best = len(values) - 1 - values.index(best(values)) if values else 0
        if since_best < patience:
            return None
        return f"{metric} has not improved on {best(values):.4g} for {since_best} evaluations"

    def add(record: Record) -> None:
        # Patience counts evaluations, and a round may have none.
        if metric in record:
            value = record[metric]
            # A model that diverged is no improvement; NaN would compare as neither better nor worse.
            values.append(worst if value is None or not math.isfinite(value) else value)

    def on_start(_run: RunContext, records: Sequence[Record]) -> str | None:
        for record in records:
            add(record)
        return verdict()

    def should_stop(_run: RunContext, _state: RoundState, record: Record) -> str | None:
        add(record)
        return verdict()

    return Callback(on_start, should_stop=should_stop)
