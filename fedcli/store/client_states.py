"""Clients' own states on disk: one file a client and participation, read when the client takes part again.

Between its participations a client's state is in no memory, and a checkpoint holds only an index of the files,
so that neither grows with what a large population keeps. A file is written once and stays: older checkpoints
refer to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from fedcli.core import trees
from fedcli.core.errors import RunError
from fedcli.core.types import Array, Tree
from fedcli.store import round_folders
from fedcli.store.files import durable, npz
from fedcli.store.files.disk import LOCAL, Disk


@final
@dataclass(frozen=True, slots=True)
class StoredTree(Mapping[str, Any]):
    """A client's state, which every access reads from its file; `dict(tree.items())` reads it once.

    Args:
        shelf: the folder of all clients' states.
        client: whose it is.
        round: the participation that it comes from.
        digest: SHA-256 of the file, 32 bytes.

    Raises:
        RunError: on access, if the file is missing or is not the one that was written.
    """

    shelf: Path
    client: int
    round: int
    digest: bytes

    @property
    def path(self) -> Path:
        """The file."""
        return self.shelf / round_folders.name(self.round) / f"client-{self.client:05d}.npz"

    def items(self) -> ItemsView[str, Any]:
        """All of the state, after one reading."""
        return self._load().items()

    def __getitem__(self, name: str) -> Any:
        return self._load()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    def _load(self) -> dict[str, Any]:
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise self._unusable(f"cannot be read: {error.strerror}") from None
        found = hashlib.sha256(content).digest()
        if found != self.digest:
            raise self._unusable(
                f"is not the file that the run wrote: its SHA-256 is {found.hex()[:16]}..., "
                f"the checkpoint says {self.digest.hex()[:16]}..."
            )
        return trees.from_table(npz.from_bytes(content))

    def _unusable(self, why: str) -> RunError:
        return RunError(
            f"{self.path}, the state of client {self.client} after round {self.round}, {why}.\n"
            f"Restore the file, or delete the checkpoints of round {self.round} and later to go on from before it."
        )


def put(shelf: Path, round: int, client: int, tree: Tree, *, disk: Disk = LOCAL) -> StoredTree:
    """Write what `client` keeps of `round`; it is durable only after `sync`.

    The same participation of a round that is done again replaces the file.
    """
    content = npz.to_bytes(trees.to_table(tree))
    stored = StoredTree(shelf, client, round, hashlib.sha256(content).digest())
    if not stored.path.parent.is_dir():
        durable.make_folder(shelf, disk=disk)
        disk.make_folder(stored.path.parent)
    if stored.path.exists():
        disk.remove(stored.path)
    disk.write(stored.path, content)
    return stored


def sync(shelf: Path, first: int, last: int, *, disk: Disk = LOCAL) -> None:
    """Force the states of the rounds `first` to `last` to the disk."""
    rounds = _between(shelf, first, last)
    for round in rounds:
        durable.sync_folder(shelf / round_folders.name(round), disk=disk)
    if rounds:
        disk.sync(shelf)


def drop_after(shelf: Path, round: int, *, disk: Disk = LOCAL) -> None:
    """Remove the states of rounds after `round`, which no checkpoint refers to: their rounds are done again.

    Where cohorts are secret they are then other clients, so that nothing of the first attempt may stay.
    """
    for later in round_folders.rounds(shelf):
        if later > round:
            durable.remove_all(shelf / round_folders.name(later), disk=disk)


def prune(shelf: Path, first: int, last: int, keep: Mapping[int, Tree], *, disk: Disk = LOCAL) -> None:
    """Remove the states of the rounds `first` to `last` that are not in `keep`: no checkpoint refers to them."""
    needed = {tree.path for tree in keep.values() if isinstance(tree, StoredTree)}
    for round in _between(shelf, first, last):
        folder = shelf / round_folders.name(round)
        unneeded = sorted(set(folder.iterdir()) - needed)
        for path in unneeded:
            disk.remove(path)
        if unneeded:
            # Later checkpoints never look here again, so a file that a power cut brought back would stay.
            disk.sync(folder)


def to_index(clients: Mapping[int, Tree]) -> dict[str, Array]:
    """The K stored states in the order of their clients: `client` and `round` [K], `sha256` [K, 32].

    Raises:
        TypeError: if a state is not on a shelf.
    """
    stored = [tree for _, tree in sorted(clients.items())]
    on_shelf = [tree for tree in stored if isinstance(tree, StoredTree)]
    if len(on_shelf) < len(stored):
        raise TypeError("a checkpoint refers to clients' states by their files; shelve them first")
    return {
        "client": np.array([tree.client for tree in on_shelf], np.int64),
        "round": np.array([tree.round for tree in on_shelf], np.int64),
        "sha256": np.frombuffer(b"".join(tree.digest for tree in on_shelf), np.uint8).reshape(-1, 32),
    }


def from_index(shelf: Path, index: Mapping[str, Array]) -> dict[int, Tree]:
    """The states that `to_index` listed. Nothing is read from the shelf."""
    rows = zip(index["client"].tolist(), index["round"].tolist(), index["sha256"], strict=True)
    return {client: StoredTree(shelf, client, round, digest.tobytes()) for client, round, digest in rows}


def _between(shelf: Path, first: int, last: int) -> list[int]:
    return [round for round in round_folders.rounds(shelf) if first <= round <= last]
