"""What a round's encryption costs, as columns of metrics.jsonl."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from fedcli.core.figures import Tally
from fedcli.crypto.workers import elsewhere

Result = TypeVar("Result")

ENCRYPT_SECONDS = "encryption/encrypt_seconds"
ADD_SECONDS = "encryption/add_seconds"
OPEN_SECONDS = "encryption/open_seconds"
BYTES_OPENING = "encryption/bytes_opening"
ATTEMPTS = "encryption/attempts"
MEMBERS_LOST = "encryption/members_lost"


def new_tally(*columns: str) -> Tally:
    """What the server's side of a round counts: the columns that every scheme has, and those of one scheme."""
    return Tally(ENCRYPT_SECONDS, ADD_SECONDS, OPEN_SECONDS, BYTES_OPENING, ATTEMPTS, *columns)


def timed_elsewhere(work: Callable[..., Result], *args: object) -> tuple[Result, float]:
    """`work(*args)` in another process, and the seconds that it took there."""
    return elsewhere(_timed, work, args)


def _timed(work: Callable[..., Result], args: tuple[object, ...]) -> tuple[Result, float]:
    begun = time.perf_counter()
    result = work(*args)
    return result, time.perf_counter() - begun
