"""Costs of a round's encryption, as columns of metrics.jsonl."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from fedcli.core.column import Column, Live
from fedcli.core.figures import Tally
from fedcli.crypto.workers import elsewhere

Result = TypeVar("Result")

ENCRYPT_SECONDS = "encryption/encrypt_seconds"
ADD_SECONDS = "encryption/add_seconds"
OPEN_SECONDS = "encryption/open_seconds"
BYTES_OPENING = "encryption/bytes_opening"
ATTEMPTS = "encryption/attempts"
MEMBERS_LOST = "encryption/members_lost"

OF_CLIENTS, OF_SERVER = "components/encryption/encrypt.py", "components/encryption/costs.py"
COLUMNS = (
    Column(
        ENCRYPT_SECONDS,
        "time to encrypt, summed over all clients",
        OF_CLIENTS,
        unit="seconds",
        better="down",
        live=Live("encrypted {value:.1f} s"),
    ),
    Column(ADD_SECONDS, "time to check and add what was sent", OF_SERVER, unit="seconds", better="down"),
    Column(
        OPEN_SECONDS,
        "time to decrypt the sum",
        OF_SERVER,
        unit="seconds",
        better="down",
        live=Live("opened {value:.1f} s", "comma"),
    ),
    Column(BYTES_OPENING, "what was sent to decrypt the sum", OF_SERVER, unit="bytes", better="down"),
    Column(ATTEMPTS, "attempts to decrypt the sum", OF_SERVER, unit="attempts", better="down"),
)
"""The columns of every scheme."""
OF_COMMITTEES = Column(
    MEMBERS_LOST,
    "committee members that were away or did not answer (`threshold`)",
    OF_SERVER,
    unit="members",
    better="down",
    live=Live("{value} members lost", "brackets"),
)


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
