"""The states that all clients keep on disk, in arrays: of a million clients a round and its checkpoint walk none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import numpy.typing as npt

from fedcli.core.types import Array, Tree
from fedcli.store.stored_tree import StoredTree

Rows = npt.NDArray[np.int64]

# Copied in each round; more are merged into the arrays.
_MOST_NEWER = 2**14


class StatesIndex(NamedTuple):
    """K stored states, in ascending order of their clients.

    Attributes:
        client: their numbers, int64 [K].
        round: the rounds in which they were left, int64 [K].
        sha256: of their files, uint8 [K, 32].
    """

    client: Rows
    round: Rows
    sha256: Array


@final
class StoredStates(Mapping[int, StoredTree]):
    """The state of each client that has one, 48 bytes a client.

    Args:
        folder: where the files of all states are.
        index: the states.
        newer: states in place of those of the index, or beside them.
    """

    def __init__(
        self, folder: Path, index: StatesIndex, newer: Mapping[int, StoredTree] | None = None
    ) -> None:
        self._folder, self._index, self._newer = folder, index, newer or {}

    def updated(self, newer: Mapping[int, Tree]) -> Mapping[int, Tree]:
        """The mapping with newer states in place of some; states that are not stored make it a dict."""
        stored = {client: tree for client, tree in newer.items() if isinstance(tree, StoredTree)}
        if len(stored) < len(newer):
            return {**self, **newer}
        # A checkpoint has merged them, or they are merged here when they are many.
        if "index" in vars(self) or len(self._newer) > _MOST_NEWER:
            return StoredStates(self._folder, self.index, stored)
        return StoredStates(self._folder, self._index, {**self._newer, **stored})

    @cached_property
    def index(self) -> StatesIndex:
        """All states."""
        return _merged(self._index, index_of(self._newer)) if self._newer else self._index

    def __getitem__(self, client: int) -> StoredTree:
        if client in self._newer:
            return self._newer[client]
        clients, rounds, digests = self._index
        place = int(np.searchsorted(clients, client))
        if place == len(clients) or clients[place] != client:
            raise KeyError(client)
        return StoredTree(self._folder, int(clients[place]), int(rounds[place]), digests[place].tobytes())

    def __iter__(self) -> Iterator[int]:
        return iter(self.index.client.tolist())

    def __len__(self) -> int:
        return len(self.index.client)


def index_of(stored: Mapping[int, StoredTree]) -> StatesIndex:
    """The index of stored states, in the order of their clients."""
    trees = [tree for _, tree in sorted(stored.items())]
    return StatesIndex(
        np.array([tree.client for tree in trees], np.int64),
        np.array([tree.round for tree in trees], np.int64),
        np.frombuffer(b"".join(tree.digest for tree in trees), np.uint8).reshape(-1, 32),
    )


def _merged(old: StatesIndex, new: StatesIndex) -> StatesIndex:
    places = np.searchsorted(old.client, new.client)
    # A client beyond the last of the old ones is compared with none.
    is_known = np.append(old.client, -1)[places] == new.client
    both = []
    for one, other in zip(old, new, strict=True):
        changed = one.copy()
        changed[places[is_known]] = other[is_known]
        both.append(np.insert(changed, places[~is_known], other[~is_known], axis=0))
    return StatesIndex(*both)
