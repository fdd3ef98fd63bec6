"""What the engine needs of a run directory, and who looks on while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from fedcli.core.rounds import RoundState
from fedcli.core.types import Tree
from fedcli.engine.records import Row

Watch = Callable[[int, int], None]
"""Receives `(clients done, clients planned)` while a round runs; raises `RunInterrupted` to end it."""

Shelve = Callable[[int, int, Tree], Tree]
"""`(round, client, what it keeps)` -> the same, in memory or read from a file when it is used."""

Deposit = Callable[[int, Mapping[str, bytes]], None]
"""`(round, files)`: keeps what the round can be checked by; no files for a round that released nothing."""


def nowhere(_round: int, _files: Mapping[str, bytes]) -> None:
    """Keeps nothing."""


def in_memory(_round: int, _client: int, tree: Tree) -> Tree:
    """Keeps a client's state in memory."""
    return tree


class Store(Protocol):
    """What the engine needs of a run directory."""

    @property
    def records(self) -> Sequence[Row]:
        """The committed rounds' records."""
        ...

    def is_charged(self, round: int) -> bool:
        """Whether a release of this round was announced before."""
        ...

    def charge(self, round: int) -> None:
        """Durably note that a release follows."""
        ...

    def shelve(self, round: int, client: int, tree: Tree) -> Tree:
        """Put away what a client keeps of a round, until it takes part again or the round is done again."""
        ...

    def deposit(self, round: int, files: Mapping[str, bytes]) -> None:
        """Keep the files that a round can be checked by, until it is done again."""
        ...

    def commit(self, state: RoundState, record: Row, clients: Sequence[Row]) -> None:
        """Write a finished round; after it the round is never done again."""
        ...

    def checkpoint(self, state: RoundState) -> None:
        """Make `state` durable, if it is not yet."""
        ...


class Observer(NamedTuple):
    """Who looks on: `watch` within a round, `round_end` with each committed record."""

    watch: Watch = lambda _done, _planned: None
    round_end: Callable[[Row], None] = lambda _record: None
