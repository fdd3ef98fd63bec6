"""Costs of a round's encryption, as columns of metrics.jsonl."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeVar, final

from fedcli.core.meter import Meter
from fedcli.crypto.workers import elsewhere

Result = TypeVar("Result")
Column = Literal[
    "encrypt_seconds", "add_seconds", "open_seconds", "bytes_opening", "attempts", "members_lost"
]
_ALWAYS: tuple[Column, ...] = (
    "encrypt_seconds",
    "add_seconds",
    "open_seconds",
    "bytes_opening",
    "attempts",
)


@final
class Costs:
    """Seconds, bytes and counts of one round; clients report from their own threads.

    Args:
        columns: columns of the scheme in addition to those of every scheme.
    """

    def __init__(self, *columns: Column) -> None:
        self._meter = Meter()
        for column in (*_ALWAYS, *columns):
            self.add(column, 0)

    def add(self, column: Column, number: float) -> None:
        """Add seconds, bytes or events."""
        self._meter.add(f"encryption/{column}", number)

    @contextmanager
    def span(self, column: Column) -> Iterator[None]:
        """Add the seconds of the `with` block."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.add(column, time.perf_counter() - begun)

    def elsewhere(self, column: Column, work: Callable[..., Result], *args: object) -> Result:
        """`work(*args)` in a worker process; the seconds that it took there are added."""
        result, seconds = elsewhere(_timed, work, args)
        self.add(column, seconds)
        return result

    def figures(self) -> dict[str, float]:
        """The columns so far."""
        return self._meter.figures()


def _timed(work: Callable[..., Result], args: tuple[object, ...]) -> tuple[Result, float]:
    begun = time.perf_counter()
    result = work(*args)
    return result, time.perf_counter() - begun
