"""The contract of a transform: one mechanism between client and server, both ends of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from fedcli.core.column import Column
from fedcli.core.factories import Spec
from fedcli.core.integer_grid import IntegerGrid
from fedcli.core.privacy_events import Event
from fedcli.core.rounds import (
    Aggregate,
    ClientUpdate,
    RoundContext,
    Session,
)
from fedcli.core.types import Payload, Tree


def _stateless(_size: int) -> Tree:
    return {}


def _adds_nothing(_size: int) -> int:
    return 0


def _no_secret(_size: int, _rounds: int) -> int:
    return 0


def _send_as_is(update: ClientUpdate, _state: Tree, _context: RoundContext) -> ClientUpdate:
    return update


def _accept(_update: ClientUpdate, _state: Tree, _context: RoundContext) -> str | None:
    return None


def _decode_as_is(aggregate: Aggregate, state: Tree, _context: RoundContext) -> tuple[Aggregate, Tree]:
    return aggregate, state


class Transform(NamedTuple):
    """One mechanism between client and server, both ends of it.

    Args:
        name: its name, under which its state is kept.
        init: size of the payload that it takes -> its server state. What is in its entry `SECRET` is kept apart.
        encode: client half; raises `InvalidUpdateError` for an update that must not be sent.
        admit: arrival check on the server; a reason to reject, or None. Its state is that without `SECRET`, because a
            worker may make the check.
        admit_all: the same for several updates at once, where that is cheaper; one answer for each.
        decode: server half, on the aggregate.
        takes: the payload it expects from the transform before it.
        gives: the payload it hands on.
        privacy: the event that the accountant charges for each round, if it protects anyone.
        coded_bytes: size of the payload that it takes -> bytes of what it gives, as sent; None for four bytes a
            coordinate.
        attached_bytes: size of the payload that it takes -> bytes of its attachments.
        adds: size of the payload that it takes -> number of coordinates that its client half appends and its server
            half removes.
        keeps: size of the payload that it takes -> number of coordinates that its client half keeps for each client's
            next turn.
        secret_bytes: `(size, rounds)` -> bytes of the arrays in its entry `SECRET` after so many rounds, for an
            aggregate of so many coordinates; keys are not counted.
        client_copies: vectors of float32, as long as what it takes, that its client half holds at once beside that one,
            what it gives included. It may be a little more than it needs.
        server_copies: the same of its server half; what `secret_bytes` counts is not in it.
        min_clients: least number of updates that may be decoded; with fewer the round is void.
        hides: whether the server cannot read the payload that it takes, as with encryption. The arrival checks of the
            transforms before it are then left out; only its own is made.
        grid: the integer grid of what it gives; None if it does not make integers.
        on_grid: for noise on a sum of vectors: the grid -> the transform with the same noise on a sum of integers.
        leaves_evidence: whether its server half returns files with which the round can be verified later.
        begin: `(context, cohort, size)` -> its session of a round, before anybody trains. The cohort has all clients
            that were drawn; size is that of the payload that it takes.
        start: for a mechanism with keys for the length of a run: keys that were kept, or None for new ones -> the
            transform with its keys, and the keys as a tree that a simulated run may keep.
        aggregate: `(updates, context)` -> the aggregate, instead of the strategy's own sum, if the server cannot read
            what it adds.
        made: how it was made; None if that is not recorded.
        proves: whether its client half proves something about the update.
        columns: the columns of metrics.jsonl in which its figures are summed.
    """

    name: str
    init: Callable[[int], Tree] = _stateless
    encode: Callable[[ClientUpdate, Tree, RoundContext], ClientUpdate] = _send_as_is
    admit: Callable[[ClientUpdate, Tree, RoundContext], str | None] = _accept
    decode: Callable[[Aggregate, Tree, RoundContext], tuple[Aggregate, Tree]] = _decode_as_is
    takes: Payload = "vector"
    gives: Payload = "vector"
    privacy: Event | None = None
    coded_bytes: Callable[[int], int] | None = None
    attached_bytes: Callable[[int], int] = _adds_nothing
    adds: Callable[[int], int] = _adds_nothing
    keeps: Callable[[int], int] = _adds_nothing
    secret_bytes: Callable[[int, int], int] = _no_secret
    client_copies: float = 1.0
    server_copies: float = 0.0
    hides: bool = False
    min_clients: int = 0
    admit_all: Callable[[Sequence[ClientUpdate], Tree, RoundContext], Sequence[str | None]] | None = None
    grid: IntegerGrid | None = None
    on_grid: Callable[[IntegerGrid], Transform] | None = None
    leaves_evidence: bool = False
    begin: Callable[[RoundContext, Sequence[int], int], Session] | None = None
    start: Callable[[Tree | None], tuple[Transform, Tree]] | None = None
    aggregate: Callable[[Iterable[ClientUpdate], RoundContext], Aggregate] | None = None
    made: Spec | None = None
    proves: bool = False
    columns: tuple[Column, ...] = ()

    @property
    def acts_on_clients(self) -> bool:
        """Whether it has a client half."""
        return self.encode is not _send_as_is

    @property
    def acts_on_arrival(self) -> bool:
        """Whether it can refuse an update."""
        return self.admit is not _accept or self.admit_all is not None

    @property
    def needs_single_updates(self) -> bool:
        """Whether the server needs each payload: for a session, a check of several, evidence, or a sum of its own."""
        own = (self.begin, self.start, self.aggregate, self.admit_all)
        return self.proves or self.leaves_evidence or any(each is not None for each in own)

    @property
    def acts_on_server(self) -> bool:
        """Whether it has a server half."""
        return self.decode is not _decode_as_is


def checks_on_arrival(transforms: Sequence[Transform]) -> Sequence[Transform]:
    """The transforms whose arrival checks can read what was sent: the last one that hides, and those after it."""
    # What is hidden no longer has the form that earlier checks expect: they would refuse honest updates.
    return transforms[max((i for i, transform in enumerate(transforms) if transform.hides), default=0) :]
