"""What a round's encryption costs, as columns of metrics.jsonl."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar, final

from fedcli.crypto.workers import elsewhere

Result = TypeVar("Result")
Column = Literal[
    "encrypt_seconds", "add_seconds", "open_seconds", "bytes_opening", "attempts", "members_lost"
]


@final
class Meter:
    """Sums up seconds, bytes and counts of one round; clients report from their own threads.

    Args:
        columns: those of the scheme besides the seconds and bytes that all have.
    """

    def __init__(self, *columns: Column) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = dict.fromkeys(
            ("encrypt_seconds", "add_seconds", "open_seconds"), 0.0
        )
        self._counts: dict[str, int] = dict.fromkeys(("bytes_opening", "attempts", *columns), 0)

    def spend(self, column: Column, seconds: float) -> None:
        """Add seconds."""
        with self._lock:
            self._seconds[column] += seconds

    def count(self, column: Column, number: int) -> None:
        """Add bytes or events."""
        with self._lock:
            self._counts[column] += number

    @contextmanager
    def span(self, column: Column) -> Iterator[None]:
        """Add the seconds of the `with` block."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.spend(column, time.perf_counter() - begun)

    def elsewhere(self, column: Column, work: Callable[..., Result], *args: object) -> Result:
        """`work(*args)` in another process, with the seconds that it took there."""
        result, seconds = elsewhere(_timed, work, args)
        self.spend(column, seconds)
        return result

    def figures(self) -> dict[str, float]:
        """The columns so far."""
        with self._lock:
            spent = {name: round(seconds, 6) for name, seconds in self._seconds.items()}
            return {f"encryption/{name}": value for name, value in (spent | self._counts).items()}


def _timed(work: Callable[..., Result], args: tuple[object, ...]) -> tuple[Result, float]:
    begun = time.perf_counter()
    result = work(*args)
    return result, time.perf_counter() - begun
