"""Commitments and proofs in worker processes, with their time in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from fedcli.core.column import Column, Live
from fedcli.core.figures import Tally
from fedcli.core.rounds import RoundContext, Session
from fedcli.crypto.workers import spread, timed, timed_elsewhere

Item = TypeVar("Item")
Result = TypeVar("Result")

PROVE_SECONDS, VERIFY_SECONDS, PROOF_BYTES = "proofs/prove_seconds", "proofs/verify_seconds", "proofs/bytes"

COLUMNS = (
    Column(
        PROVE_SECONDS,
        "time for commitments and proofs, summed over all clients and processes",
        "components/proofs/prove.py",
        unit="seconds",
        better="down",
        live=Live("proved {value:.1f} s"),
    ),
    Column(
        VERIFY_SECONDS,
        "time to verify them on the server, summed over its processes",
        "components/proofs/timed_jobs.py",
        unit="seconds",
        better="down",
        live=Live("verified {value:.1f} s", "comma"),
    ),
    Column(
        PROOF_BYTES,
        "commitments and proofs that the clients sent",
        "components/proofs/prove.py",
        unit="bytes",
        better="down",
    ),
)


def counting_session(_context: RoundContext, _cohort: Sequence[int], _size: int) -> Session:
    """A session that only counts the costs of the server's half; clients receive nothing."""
    tally = Tally()
    return Session(tally, figures=tally.figures)


def counted(tally: Tally, column: str, work: Callable[..., Result], *args: object) -> Result:
    """The result of `work` in a worker process; its seconds are added to a column."""
    # In another process, because the curve library holds Python's global interpreter lock.
    result, seconds = timed_elsewhere(work, *args)
    tally.add(column, seconds)
    return result


def verified_each(
    tally: Tally, work: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]
) -> list[Result]:
    """The results of `work` on all items, spread over the cores; its seconds are added to those of verification."""
    on_piece: Callable[[Sequence[Item]], tuple[list[Result], float]] = partial(timed, work)
    results: list[Result] = []
    for made, seconds in spread(on_piece, items):
        tally.add(VERIFY_SECONDS, seconds)
        results += made
    return results


def tally_of(context: RoundContext, name: str) -> Tally:
    """The tally of a transform's session; a new one without a session, as in tests of a single transform."""
    session = context.sessions.get(name)
    tally = session.server if session else Tally()
    return tally if isinstance(tally, Tally) else Tally()
