"""Early stopping on a metric of the records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from fedcli.components.callbacks.callback import Callback, Record, RunContext
from fedcli.core.rounds import RoundState


def early_stop(
    *,
    metric: str,
    mode: Literal["min", "max"],
    patience: int | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Callback:
    """Stop when a metric is good enough, or has not improved for `patience` evaluations, whichever comes first.

    It depends on the records only, so that a resumed run stops where the uninterrupted one would.

    Args:
        metric: name in metrics.jsonl, such as `test/accuracy`.
        mode: whether a smaller or a larger value is better.
        patience: evaluations without a new best value, at least 1; None for no such rule.
        at_least: stop at this value or a larger one; None for no such rule.
        at_most: stop at this value or a smaller one; None for no such rule.
    """
    values: list[float] = []
    best, worst = (min, math.inf) if mode == "min" else (max, -math.inf)

    def verdict() -> str | None:
        for value in values:
            # The infinity of a model that diverged is no value that was reached.
            if not math.isfinite(value):
                continue
            if at_least is not None and value >= at_least:
                return f"{metric} has reached {value:.4g}, which is at least {at_least:g}"
            if at_most is not None and value <= at_most:
                return f"{metric} has reached {value:.4g}, which is at most {at_most:g}"
        # The first of equal values is the best: to reach it again is no improvement.
        since_best = len(values) - 1 - values.index(best(values)) if values else 0
        if patience is None or since_best < patience:
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
