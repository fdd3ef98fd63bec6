"""Interfaces of the engine: the store that it writes to, and the observer of its progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from fedcli.core.rounds import RoundState
from fedcli.core.types import Tree
from fedcli.engine.records import Row

Watch = Callable[[int, int], None]
"""`(clients done, clients planned)`: called while a round runs; raises `RunInterrupted` to end the run."""

Shelve = Callable[[int, int, Tree], Tree]
"""`(round, client, state)` -> the same state, in memory or read from a file when it is used."""

Deposit = Callable[[int, Mapping[str, bytes]], None]
"""`(round, files)`: keeps the evidence of a round; no files if the round released nothing."""


def nowhere(_round: int, _files: Mapping[str, bytes]) -> None:
    """A `Deposit` that keeps nothing."""


def in_memory(_round: int, _client: int, tree: Tree) -> Tree:
    """A `Shelve` that keeps the state in memory."""
    return tree


class Store(Protocol):
    """Where a run is stored."""

    @property
    def records(self) -> Sequence[Row]:
        """Records of the committed rounds."""
        ...

    def is_charged(self, round: int) -> bool:
        """Whether `charge` was called for this round, possibly by a run that was stopped."""
        ...

    def charge(self, round: int) -> None:
        """Note durably that this round is about to release something; called before noise is drawn."""
        ...

    def shelve(self, round: int, client: int, tree: Tree) -> Tree:
        """Store a client's state until it takes part again, or the round is repeated."""
        ...

    def deposit(self, round: int, files: Mapping[str, bytes]) -> None:
        """Store the evidence of a round, until it is repeated."""
        ...

    def commit(self, state: RoundState, record: Row, clients: Sequence[Row]) -> None:
        """Write a finished round durably; it is never repeated after that."""
        ...

    def checkpoint(self, state: RoundState) -> None:
        """Write a checkpoint of `state`, unless it has one."""
        ...


class Observer(NamedTuple):
    """Callbacks for progress: `watch` within a round, `round_end` with each committed record."""

    watch: Watch = lambda _done, _planned: None
    round_end: Callable[[Row], None] = lambda _record: None
