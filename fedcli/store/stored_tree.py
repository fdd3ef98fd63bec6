"""A client's state in its file, which is read when the client takes part again."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from fedcli.core.errors import RunError
from fedcli.store import round_folders
from fedcli.store.files import guarded, limits, npz
from fedcli.store.files.guarded import FileRefused


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
