"""Where the seconds of a round go."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar, final

Item = TypeVar("Item")


@final
class Clock:
    """Seconds by name, on the wall."""

    def __init__(self) -> None:
        self._spent: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Count the time of the `with` block under `name`."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._spent[name] += time.perf_counter() - begun

    def waiting(self, name: str, items: Iterable[Item], *, inside: str) -> Iterator[Item]:
        """Pass on `items`; the time spent waiting for each counts under `name` and not under `inside`."""
        iterator = iter(items)
        while True:
            begun = time.perf_counter()
            item = next(iterator, None)
            waited = time.perf_counter() - begun
            self._spent[name] += waited
            self._spent[inside] -= waited
            if item is None:
                return
            yield item

    def seconds(self) -> dict[str, float]:
        """The seconds so far, under `seconds/`."""
        return {f"seconds/{name}": round(spent, 6) for name, spent in self._spent.items()}
