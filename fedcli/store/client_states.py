"""States that clients keep between rounds, on disk: one file for each client and participation.

A state is read when its client takes part again, and a checkpoint holds only an index of the files. So neither memory
nor checkpoints grow with what a large population keeps. A file is written once and stays as long as a checkpoint refers
to it that has not been pruned.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fedcli.core import trees
from fedcli.core.types import Array, Tree
from fedcli.store import round_folders
from fedcli.store.files import durable, guarded, npz
from fedcli.store.files.disk import LOCAL, Disk
from fedcli.store.stored_states import Rows, StatesIndex, StoredStates, index_of
from fedcli.store.stored_tree import StoredTree

# More rounds than a checkpoint may have; the clients' numbers have the other 33 bits.
_ROUND_BITS = 30
_LAST_ROUND = (1 << _ROUND_BITS) - 1
_LAST_CLIENT = (1 << 33) - 1


def put(folder: Path, round: int, client: int, tree: Tree, *, disk: Disk = LOCAL) -> StoredTree:
    """Write the state of `client` after `round`. It is durable only after `sync`.

    If a round is repeated, the new state replaces the file.
    """
    content = npz.to_bytes(trees.to_table(tree))
    stored = StoredTree(folder, client, round, hashlib.sha256(content).digest())
    if not stored.path.parent.is_dir():
        durable.make_folder(folder, disk=disk)
        # Its name becomes durable in `sync`: once a checkpoint, and not once a client.
        disk.make_folder(stored.path.parent)
    # A round that is repeated. `write` refuses a file that is there.
    if stored.path.exists():
        disk.remove(stored.path)
    disk.write(stored.path, content)
    return stored


def sync(folder: Path, first: int, last: int, *, disk: Disk = LOCAL) -> None:
    """Force the states of rounds `first` to `last` to the disk."""
    rounds = _between(folder, first, last)
    for round in rounds:
        durable.sync_folder(folder / round_folders.name(round), disk=disk)
    if rounds:
        disk.sync(folder)


def drop_after(folder: Path, round: int, *, disk: Disk = LOCAL) -> None:
    """Remove the states of rounds after `round`. No checkpoint refers to them, and their rounds are repeated.

    With a secret cohort the repeated round has other clients, so nothing of the first attempt may stay.
    """
    for later in round_folders.rounds(folder):
        if later > round:
            durable.remove_all(folder / round_folders.name(later), disk=disk)


def prune(folder: Path, first: int, last: int, keep: Mapping[int, Tree], *, disk: Disk = LOCAL) -> None:
    """Remove the states of rounds `first` to `last` that are not in `keep`. No checkpoint refers to them."""
    # Of these rounds only: others may have kept the states of many more clients.
    clients, rounds, _ = _index(keep)
    of_these = np.flatnonzero((rounds >= first) & (rounds <= last))
    numbers = zip(clients[of_these].tolist(), rounds[of_these].tolist(), strict=True)
    needed = {StoredTree(folder, client, round, b"").path for client, round in numbers}
    for round in _between(folder, first, last):
        place = folder / round_folders.name(round)
        there = {place / name for name in guarded.names(place, below=folder.parent)}
        unneeded = sorted(there - needed)
        for path in unneeded:
            disk.remove(path)
        if unneeded:
            # Synced, because a removed file could come back after a power cut, and no later checkpoint would remove it.
            disk.sync(place)


def release(folder: Path, pruned: Rows, whole: Sequence[Rows], *, disk: Disk = LOCAL) -> None:
    """Remove the states that a checkpoint referred to and that no checkpoint needs which still has its arrays.

    Args:
        folder: where the states of all clients are.
        pruned: the places of the states of the checkpoint that was pruned.
        whole: those of the whole checkpoints nearest before and after it. A state that is in neither is in no other,
            because a client's state is in all checkpoints from its own round to its next.
        disk: where they are removed.
    """
    for needed in whole:
        # Both ascend, so that a million of them are found in order.
        found = np.append(needed, -1)[np.searchsorted(needed, pruned)]
        pruned = pruned[found != pruned]
    by_round: defaultdict[Path, list[Path]] = defaultdict(list)
    for place in pruned.tolist():
        path = StoredTree(folder, place >> _ROUND_BITS, place & _LAST_ROUND, b"").path
        # A process that was killed in this function has removed some of them.
        if guarded.exists(path, below=folder.parent):
            by_round[path.parent].append(path)
    for round_folder, paths in by_round.items():
        for path in paths:
            disk.remove(path)
        disk.sync(round_folder)


def places_of(clients: Mapping[int, Tree]) -> Rows:
    """Client and round of each stored state in one number, ascending, int64 [K]: half a megabyte for 65,536 of them."""
    index = _index(clients)
    return index.client << _ROUND_BITS | index.round


def to_index(clients: Mapping[int, Tree]) -> dict[str, Array]:
    """The index of K stored states, in the order of their clients: `client` and `round` [K], `sha256` [K, 32].

    Raises:
        TypeError: if a state is not a stored one.
    """
    # Equal states make equal bytes, in whatever order the clients finished.
    index = _index(clients)
    if len(index.client) < len(clients):
        raise TypeError("a checkpoint refers to the files of clients' states; write them with `put` first")
    return index._asdict()


def in_arrays(folder: Path, clients: Mapping[int, Tree]) -> StoredStates:
    """The same stored states in arrays, which later ones are added to.

    Raises:
        TypeError: if a state is not a stored one.
    """
    return StoredStates(folder, StatesIndex(**to_index(clients)))


def _index(clients: Mapping[int, Tree]) -> StatesIndex:
    # One that is kept in arrays is not walked.
    if isinstance(clients, StoredStates):
        return clients.index
    return index_of({client: tree for client, tree in clients.items() if isinstance(tree, StoredTree)})


def from_index(folder: Path, index: Mapping[str, Any]) -> StoredStates:
    """The states that `to_index` listed. No file is read.

    Raises:
        ValueError: if `to_index` does not make such an index.
    """
    expected = {"client": np.int64, "round": np.int64, "sha256": np.uint8}
    if index.keys() != expected.keys() or any(
        not isinstance(index[name], np.ndarray) or index[name].dtype != type
        for name, type in expected.items()
    ):
        raise ValueError("has no index of the clients' states")
    clients, rounds, digests = index["client"], index["round"], index["sha256"]
    is_shaped = clients.ndim == 1 and rounds.shape == clients.shape and digests.shape == (len(clients), 32)
    # In ascending order, so that no client has two states.
    is_in_order = is_shaped and (np.diff(clients, prepend=-1) > 0).all()
    if not is_in_order or (clients > _LAST_CLIENT).any() or ((rounds < 0) | (rounds > _LAST_ROUND)).any():
        raise ValueError("has an index of the clients' states that no run writes")
    return StoredStates(folder, StatesIndex(clients, rounds, digests))


def _between(folder: Path, first: int, last: int) -> list[int]:
    return [round for round in round_folders.rounds(folder) if first <= round <= last]
