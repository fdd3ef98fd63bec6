"""Wall-clock seconds of the stages of a round."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar, final

Item = TypeVar("Item")


@final
class Clock:
    """Wall-clock seconds, by stage."""

    def __init__(self) -> None:
        self._spent: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Add the time of the `with` block to `name`."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._spent[name] += time.perf_counter() - begun

    def waiting(self, name: str, items: Iterable[Item], *, inside: str) -> Iterator[Item]:
        """Yield `items`; the time spent waiting for each counts for `name` instead of `inside`, the enclosing span."""
        iterator = iter(items)
        while True:
            begun = time.perf_counter()
            item = next(iterator, None)
            waited = time.perf_counter() - begun
            self._spent[name] += waited
            # Aggregation consumes the updates one by one, so the clients' training happens within its span.
            self._spent[inside] -= waited
            if item is None:
                return
            yield item
            # What was yielded may be as large as the model, and is not held while the next item is waited for.
            del item

    def seconds(self) -> dict[str, float]:
        """The seconds so far, as columns `seconds/NAME`."""
        return {f"seconds/{name}": round(spent, 6) for name, spent in self._spent.items()}
