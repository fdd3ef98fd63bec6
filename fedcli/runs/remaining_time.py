"""How long a run still takes: an estimate from its rounds and clients, without what is compiled in the first ones."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

# Enough to be steady, and few enough to follow a machine that gets busy.
_RECENT = 20


@final
class RemainingTime:
    """Estimates the seconds to the end of the run, and to the end of its round.

    Args:
        records: the rounds so far. Those of an earlier process say how long a round takes.
        clock: seconds since any moment; the wall clock may be set while a run goes on.
    """

    def __init__(
        self, records: Sequence[Mapping[str, Any]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        known = [row["seconds/total"] for row in records if isinstance(row.get("seconds/total"), float | int)]
        self._rounds, self._guess = deque(known, maxlen=_RECENT), 0.0
        self._clock, self._is_first = clock, True
        self._last_end = clock()
        self._first_client: tuple[float, int] | None = None
        self._done, self._planned = 0, 0

    def client_end(self, done: int, planned: int) -> None:
        """Hear of a finished client; `done` is 0 when a round begins."""
        if done == 0:
            self._first_client = None
        elif self._first_client is None:
            self._first_client = self._clock(), done
        self._done, self._planned = done, planned

    def round_end(self) -> None:
        """Hear of a finished round."""
        now = self._clock()
        if not self._is_first:
            self._rounds.append(now - self._last_end)
        elif self._first_client is not None and self._done > self._first_client[1]:
            # What is compiled in the first round of a process is compiled before its first client ends.
            self._guess = now - self._first_client[0]
        self._is_first, self._last_end = False, now

    def of_run(self, rounds: int) -> float | None:
        """Seconds to the end of so many rounds, of which the one under way is the first; None if nobody knows."""
        # The median: a round that waited for something else says little about the next.
        one = statistics.median(self._rounds) if self._rounds else self._guess
        if not one or not rounds:
            return None
        return max(one * rounds - (self._clock() - self._last_end), one * (rounds - 1))

    def of_round(self) -> float | None:
        """Seconds until the last client of the round ends; None if nobody knows."""
        # Of a round that has ended nothing is left to tell.
        if self._first_client is None or not self._first_client[1] < self._done < self._planned:
            return None
        began, already = self._first_client
        return (self._clock() - began) / (self._done - already) * (self._planned - self._done)


def in_words(seconds: float | None) -> str:
    """A duration as a person reads it, such as `1:02:03 left`; empty if it is not known."""
    if seconds is None:
        return ""
    minutes, whole = divmod(round(seconds), 60)
    return f"{minutes // 60:d}:{minutes % 60:02d}:{whole:02d} left"
