"""States that clients keep between rounds, on disk: one file for each client and participation.

A state is read when its client takes part again, and a checkpoint holds only an index of the files. So neither memory
nor checkpoints grow with what a large population keeps. A file is written once and stays as long as a checkpoint refers
to it that has not been pruned.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt

from fedcli.core import trees
from fedcli.core.errors import RunError
from fedcli.core.types import Array, Tree
from fedcli.store import round_folders
from fedcli.store.files import durable, guarded, limits, npz
from fedcli.store.files.disk import LOCAL, Disk
from fedcli.store.files.guarded import FileRefused

Rows = npt.NDArray[np.int64]

# More rounds than a checkpoint may have; the clients' numbers have the other 33 bits.
_ROUND_BITS = 30
_LAST_ROUND = (1 << _ROUND_BITS) - 1


@final
@dataclass(frozen=True, slots=True)
class StoredTree(Mapping[str, Any]):
    """A client's state. Every access reads its file; `dict(tree.items())` reads it once.

    Args:
        folder: where the states of all clients are.
        client: the client's number.
        round: the round in which the client left the state.
        digest: SHA-256 of the file, 32 bytes.

    Raises:
        RunError: on access, if the file is missing or is not the one that was written.
    """

    folder: Path
    client: int
    round: int
    digest: bytes

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / round_folders.name(self.round) / f"client-{self.client:05d}.npz"

    def items(self) -> ItemsView[str, Any]:
        """The whole state, from one reading of the file."""
        return self._load().items()

    def __getitem__(self, name: str) -> Any:
        return self._load()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    def _load(self) -> dict[str, Any]:
        try:
            content = guarded.read_bytes(self.path, below=self.folder.parent, limit=limits.BINARY)
            # Read once for digest and content: a file that is replaced in between is found out.
            guarded.require_digest(self.path, content, self.digest.hex())
            return npz.tree_from_bytes(content)
        except FileRefused as error:
            # A worker on another node reads it as well.
            shared = "On a cluster, the run directory must be on a file system that all nodes share.\n"
            raise self._unusable(error.reason, shared if error.is_missing else "") from None
        except ValueError as error:
            raise self._unusable(f"{npz.UNREADABLE}: {error}") from None

    def _unusable(self, why: str, hint: str = "") -> RunError:
        return RunError(
            f"{self.path}, the state of client {self.client} after round {self.round}, {why}.\n{hint}"
            f"Restore the file, or delete the checkpoints of round {self.round} and later to resume before it."
        )


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
    needed = {
        tree.path for tree in keep.values() if isinstance(tree, StoredTree) and first <= tree.round <= last
    }
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
    unneeded = np.setdiff1d(pruned, np.concatenate([pruned[:0], *whole])).tolist()
    by_round: defaultdict[Path, list[Path]] = defaultdict(list)
    for place in unneeded:
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
    numbers = (
        tree.client << _ROUND_BITS | tree.round for tree in clients.values() if isinstance(tree, StoredTree)
    )
    return np.sort(np.fromiter(numbers, np.int64))


def to_index(clients: Mapping[int, Tree]) -> dict[str, Array]:
    """The index of K stored states, in the order of their clients: `client` and `round` [K], `sha256` [K, 32].

    Raises:
        TypeError: if a state is not a stored one.
    """
    # Equal states make equal bytes, in whatever order the clients finished.
    stored = [tree for _, tree in sorted(clients.items())]
    on_disk = [tree for tree in stored if isinstance(tree, StoredTree)]
    if len(on_disk) < len(stored):
        raise TypeError("a checkpoint refers to the files of clients' states; write them with `put` first")
    return {
        "client": np.array([tree.client for tree in on_disk], np.int64),
        "round": np.array([tree.round for tree in on_disk], np.int64),
        "sha256": np.frombuffer(b"".join(tree.digest for tree in on_disk), np.uint8).reshape(-1, 32),
    }


def from_index(folder: Path, index: Mapping[str, Any]) -> dict[int, StoredTree]:
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
    if not is_shaped or (np.diff(clients, prepend=-1) <= 0).any() or (rounds < 0).any():
        raise ValueError("has an index of the clients' states that no run writes")
    rows = zip(clients.tolist(), rounds.tolist(), digests, strict=True)
    return {client: StoredTree(folder, client, round, digest.tobytes()) for client, round, digest in rows}


def _between(folder: Path, first: int, last: int) -> list[int]:
    return [round for round in round_folders.rounds(folder) if first <= round <= last]
