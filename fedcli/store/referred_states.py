"""The clients' states that the checkpoints of an open run refer to, which are removed with the last that needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

from fedcli.core.types import Tree
from fedcli.store import checkpoints, client_states
from fedcli.store.directory import CLIENT_STATES, checkpoint_folder
from fedcli.store.files import guarded
from fedcli.store.files.disk import LOCAL, Disk
from fedcli.store.stored_states import Rows


@final
class ReferredStates:
    """For each checkpoint, which states of clients it refers to.

    Args:
        run: the run directory.
        disk: where states are removed.
    """

    def __init__(self, run: Path, *, disk: Disk = LOCAL) -> None:
        self._run, self._folder, self._disk = run, run / CLIENT_STATES, disk
        self._places: dict[int, Rows] = {}

    def note(self, round: int, clients: Mapping[int, Tree]) -> None:
        """Remember the states of a checkpoint, so that it need not be read to be pruned."""
        self._places[round] = client_states.places_of(clients)

    def release(self, round: int, kept: Sequence[int]) -> None:
        """Remove the states that only the checkpoint of `round` refers to, which was just pruned.

        Args:
            round: a checkpoint without its model that still has its state, or had it when this process wrote it.
            kept: the rounds of all checkpoints, ascending; those that were pruned before are left out or not.
        """
        if not guarded.exists(self._folder, below=self._run):
            return
        before = (each for each in reversed(kept) if each < round)
        after = (each for each in kept if each > round)
        whole = [next(filter(self._is_whole, side), None) for side in (before, after)]
        needed = [self._in(each) for each in whole if each is not None]
        known = [each for each in needed if each is not None]
        pruned = self._in(round)
        # Of an index that cannot be read nothing follows, so that all of the states stay.
        if pruned is not None and len(known) == len(needed):
            client_states.release(self._folder, pruned, known, disk=self._disk)
        self._places.pop(round, None)

    def _is_whole(self, round: int) -> bool:
        return checkpoints.has_arrays(checkpoint_folder(self._run, round))

    def _in(self, round: int) -> Rows | None:
        if round not in self._places:
            # Of an earlier process.
            found = checkpoints.read_places(checkpoint_folder(self._run, round), self._folder)
            if found is None:
                return None
            self._places[round] = found
        return self._places[round]
