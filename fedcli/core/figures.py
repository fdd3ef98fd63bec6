"""Figures of a round: what one half of a mechanism counts, and how halves become columns of metrics.jsonl."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import final


@final
class Tally:
    """Sums by column, counted by one half of a mechanism in one round, on one thread.

    Args:
        columns: columns that exist from the start, with the value 0.
    """

    def __init__(self, *columns: str) -> None:
        self._sums: defaultdict[str, float] = defaultdict(float, dict.fromkeys(columns, 0.0))

    def add(self, column: str, number: float) -> None:
        """Add seconds, bytes or events."""
        self._sums[column] += number

    @contextmanager
    def span(self, column: str) -> Iterator[None]:
        """Add the seconds of the `with` block."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add(column, time.perf_counter() - begun)

    def figures(self) -> dict[str, float]:
        """The sums so far."""
        return dict(self._sums)


def joined(*figures: Mapping[str, float]) -> dict[str, float]:
    """Sums over several halves, by column: `joined({"s": 1}, {"s": 2, "n": 1}) == {"s": 3, "n": 1}`."""
    sums: defaultdict[str, float] = defaultdict(float)
    for each in figures:
        for column, number in each.items():
            sums[column] += number
    return dict(sums)


def as_columns(figures: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The sums as columns of metrics.jsonl, by name: whole numbers as such, seconds in microseconds."""
    sums = sorted(joined(*figures).items())
    return {name: int(value) if value == int(value) else round(value, 6) for name, value in sums}
