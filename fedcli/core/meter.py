"""Figures of a round that its parts add up while it runs."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import final


@final
class Meter:
    """Sums by name, which may be added to from any thread."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._one_at_a_time = threading.Lock()

    def add(self, name: str, value: float) -> None:
        """Add to the sum of this name."""
        with self._one_at_a_time:
            self._sums[name] += value

    def figures(self) -> dict[str, float]:
        """The sums so far, as columns of metrics.jsonl; whole numbers as such, seconds in microseconds."""
        with self._one_at_a_time:
            sums = sorted(self._sums.items())
        return {name: int(value) if value == int(value) else round(value, 6) for name, value in sums}
