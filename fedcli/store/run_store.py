"""Writes a run directory: adds one round after the other, and cuts it back to a checkpoint on resume."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, final

from fedcli.core.errors import RunError
from fedcli.core.metrics import jsonable
from fedcli.core.rounds import ModelLayout, RoundState
from fedcli.core.types import Tree
from fedcli.store import charges, checkpoints, client_states, proof_files, secrets, statement_copy
from fedcli.store.directory import (
    CLIENT_STATES,
    CLIENTS,
    KEEP_ALL,
    LOGS,
    METRICS,
    PRIVACY,
    bound_digests,
    checkpoint_folder,
    finished_rounds,
    read_state,
    resumable,
)
from fedcli.store.files import durable, guarded, locks, logs, manifests
from fedcli.store.files.disk import LOCAL, Disk
from fedcli.store.files.guarded import FileRefused
from fedcli.store.files.logs import Log, Mark
from fedcli.store.going_back import WayBack, require_current, set_aside
from fedcli.store.referred_states import ReferredStates
from fedcli.store.retention import Retention, to_prune
from fedcli.store.writer_thread import WriterThread

Row = dict[str, Any]


@final
class RunStore:
    """An open run directory. One process at a time holds it.

    The last checkpoint decides what is durable. Its manifest has the length and SHA-256 of metrics.jsonl and
    clients.jsonl at that time, and what follows in them is cut off when the run is resumed. The manifest also has the
    digests of the manifest before it and of the last round's evidence; the first one has those of the config, the
    environment and the encryption. privacy.json is a copy of the last checkpoint's, made after it is durable: a process
    that is killed in between leaves the copy of the checkpoint before, and `resume` makes it again.

    The checkpoint of a large model is written while the next round goes on (`writer_thread.py`), and is durable before
    anything of that round is charged, kept or committed.

    Args:
        folder: a directory made by `new_run.create_run`.
        layout: how the model's variables are placed in a state's vectors.
        every: rounds between checkpoints.
        privacy: state -> the content of privacy.json, for runs with a privacy event.
        retention: which checkpoints keep their arrays.
        beyond: what every checkpoint says of a run that goes on otherwise than its config plans; None if none does.
        sign: digest of a checkpoint's manifest -> the server's signature of it; None in runs without signatures.
        disk: where it is written.
    """

    def __init__(
        self,
        folder: Path,
        layout: ModelLayout,
        *,
        every: int,
        privacy: Callable[[RoundState], Mapping[str, Any]] | None = None,
        retention: Retention = KEEP_ALL,
        beyond: Mapping[str, Any] | None = None,
        sign: Callable[[bytes], bytes] | None = None,
        disk: Disk = LOCAL,
    ) -> None:
        self.folder, self._sign = folder, sign
        self._layout, self._every, self._privacy = layout, every, privacy
        self._retention, self._disk = retention, disk
        self._beyond = dict(beyond or {})
        self._lock = locks.hold(folder)
        try:
            guarded.require_plain(folder)
        except FileRefused:
            locks.release(self._lock)
            raise
        self._thread = WriterThread()
        self._states = folder / CLIENT_STATES
        self._durable_round = -1
        self._head: str | None = None
        self._logs: dict[str, Log] = {}
        self._unpruned: list[int] = []
        self._referred = ReferredStates(folder, disk=disk)
        self.records: list[Row] = []

    @property
    def head(self) -> str | None:
        """The digest of the last checkpoint's manifest: the head of the chain."""
        self._thread.settle()
        return self._head

    def begin(self, state: RoundState) -> RoundState:
        """Write the state before the first round, and return it; it keeps the clients' states in arrays."""
        state = replace(state, clients=client_states.in_arrays(self._states, state.clients))
        self._open_logs(dict.fromkeys(LOGS, logs.START))
        client_states.drop_after(self._states, state.round, disk=self._disk)
        proof_files.drop_after(self.folder / proof_files.FOLDER, state.round, disk=self._disk)
        self.checkpoint(state)
        return state

    def resume(self, warn: Callable[[str], None] = warnings.warn, back: WayBack | None = None) -> RoundState:
        """Return the last durable state, and remove what was written after it.

        Args:
            warn: receives a sentence if charge.json was damaged and more rounds than before count as charged, and if
                checkpoints were set aside.
            back: the way to an earlier state, if the run goes on from that.

        Raises:
            RunError: if the checkpoint, a log, or the secret state that belongs to it is damaged or missing.
        """
        if back is not None:
            require_current(self.folder, back)
        # What can be refused is read before anything is changed; the logs were, for the way back.
        state = read_state(self.folder, self._layout, back and back.round, self._retention)
        place = checkpoint_folder(self.folder, state.round)
        manifest = manifests.read(place)
        marks, has_secret = resumable(place, manifest)
        if has_secret:
            noise = secrets.read_noise(self.folder, state.round, state.transforms)
            state = replace(state, transforms=noise)
        # Before the logs are cut off, which tell how far the run came.
        charge = charges.require(
            self.folder, manifest.facts.get("charged"), every=self._every, disk=self._disk
        )
        if charge is not None:
            warn(charge)
        if back is not None:
            warn(set_aside(self.folder, back, disk=self._disk))
        self._unpruned = finished_rounds(self.folder)
        # A process that was killed after it published this checkpoint may not have pruned the states before it.
        before = [-1, *self._unpruned][-2]
        client_states.prune(self._states, before + 1, state.round, state.clients, disk=self._disk)
        if has_secret:
            secrets.drop_other_noise(self.folder, state.round, disk=self._disk)
        self._open_logs(marks)
        client_states.drop_after(self._states, state.round, disk=self._disk)
        proof_files.drop_after(self.folder / proof_files.FOLDER, state.round, disk=self._disk)
        # After the logs were cut back, so that no record of a round that is repeated is among them.
        self.records = [*self._read_records()]
        self._durable_round, self._head = state.round, manifest.digest
        # A process that was killed while it pruned may have left some arrays.
        self._prune()
        statement_copy.make(self.folder, place, disk=self._disk)
        return state

    def is_charged(self, round: int) -> bool:
        """Whether this round was charged by a process that did not commit it.

        All rounds before a charged one count as charged too. They are run again if somebody deletes checkpoints, and
        must not be released again.
        """
        return round <= (charges.read(self.folder) or 0)

    def charge(self, round: int) -> None:
        """Note durably that a release follows. Whatever happens next, the round counts against the budget."""
        self._settle()
        # Rounds that are repeated with the same noise do not take back the charge of later ones.
        charges.write(self.folder, max(round, charges.read(self.folder) or 0), disk=self._disk)

    def shelve(self, round: int, client: int, tree: Tree) -> Tree:
        """Write the state that a client keeps after a round, and return a tree that reads it when it is used.

        The next checkpoint makes it durable. Until then, `resume` and `begin` remove it.
        """
        self._settle()
        return client_states.put(self._states, round, client, tree, disk=self._disk)

    def deposit(self, round: int, files: Mapping[str, bytes]) -> None:
        """Write the files by which a round can be verified; a repeated round replaces them."""
        self._settle()
        proof_files.put(self.folder / proof_files.FOLDER, round, files, disk=self._disk)

    def commit(self, state: RoundState, record: Row, clients: Sequence[Row]) -> None:
        """Append the round's lines to the logs, and write its checkpoint if one is due."""
        self._settle()
        self._logs[CLIENTS].append("".join(_line(row) for row in clients))
        self._logs[METRICS].append(_line(record))
        self.records.append(jsonable(record))
        if state.round % self._every == 0:
            state.seal()
            self._thread.begin(partial(self._write, state), size=checkpoints.model_bytes(state))

    def checkpoint(self, state: RoundState) -> None:
        """Make `state` durable, together with the lines of its rounds."""
        self._settle()
        # The end of a run asks for its last checkpoint, which may have been due anyway.
        if state.round != self._durable_round:
            self._write(state)

    def _write(self, state: RoundState) -> None:
        marks = {name: log.sync()._asdict() for name, log in self._logs.items()}
        # Everything that the checkpoint refers to must be durable before it.
        client_states.sync(self._states, self._durable_round + 1, state.round, disk=self._disk)
        target = checkpoint_folder(self.folder, state.round)
        draft = durable.fresh(durable.draft_of(target), disk=self._disk)
        if self._privacy is not None:
            self._disk.write(draft / PRIVACY, (json.dumps(self._privacy(state), indent=1) + "\n").encode())
        noise = secrets.noise_of(state.transforms)
        if noise:
            secrets.put_noise(self.folder, state.round, noise, disk=self._disk)
        facts = {
            "logs": marks,
            "has_secret": bool(noise),
            "evidence": proof_files.head(self.folder / proof_files.FOLDER, state.round),
            "charged": charges.read(self.folder),
            **self._beyond,
            **self._link(),
        }
        head = checkpoints.write_checkpoint(
            draft, state, self._layout, facts=facts, previous=self._head, disk=self._disk
        )
        if self._sign is not None:
            self._disk.write(draft / checkpoints.SIGNATURE, self._sign(bytes.fromhex(head)))
        durable.publish(draft, target, disk=self._disk)
        statement_copy.make(self.folder, target, disk=self._disk)
        # Of the rounds since the last checkpoint, only this checkpoint can refer to clients' states.
        client_states.prune(
            self._states, self._durable_round + 1, state.round, state.clients, disk=self._disk
        )
        # Not before: until the new checkpoint is published, the one before it needs its noise to resume.
        secrets.drop_other_noise(self.folder, state.round, disk=self._disk)
        self._durable_round, self._head = state.round, head
        self._unpruned.append(state.round)
        if self._retention.prunes:
            self._referred.note(state.round, state.clients)
        self._prune()

    def require_here(self) -> None:
        """Refuse to write if the folder is no longer the one that this store has locked.

        Raises:
            RunError: if it was removed, renamed or replaced. Nothing is made again in its place.
        """
        if not locks.is_of(self._lock, self.folder):
            raise RunError(
                f"{self.folder} was removed or renamed while its run went on; the last checkpoint in it was of round "
                f"{self._durable_round}.\nIf it was renamed, go on with: fedcli run --resume ITS-NEW-NAME"
            )

    def close(self) -> None:
        """Wait for the last checkpoint, and let other processes in; raises what kept it from being written."""
        try:
            self._thread.close()
        finally:
            # Of a folder that is still written to, the lock ends with this process.
            if not self._thread.is_at_work:
                locks.release(self._lock)

    def _settle(self) -> None:
        """Wait for a checkpoint that is being written, so that all changes of the run have one order."""
        try:
            self._thread.settle()
        finally:
            # A folder that was removed is a better reason than the file that could not be written into it.
            self.require_here()

    def _prune(self) -> None:
        """Remove the arrays that the policy keeps no longer, of checkpoints before one that is durable."""
        for round in to_prune(self._retention, self._unpruned, self.records):
            place = checkpoint_folder(self.folder, round)
            # First what makes it count as pruned, so that a checkpoint that looks whole has all of its clients' states;
            # last the index of these, without which a process that is killed in between would leave them for ever.
            checkpoints.prune(place, checkpoints.MODELS, disk=self._disk)
            self._referred.release(round, self._unpruned)
            checkpoints.prune(place, disk=self._disk)
            self._unpruned.remove(round)

    def _read_records(self) -> Iterator[Row]:
        try:
            yield from logs.records(self.folder / METRICS)
        except ValueError as error:
            raise RunError(f"{self.folder / METRICS} {error}.\nRestore the file.") from None

    def _open_logs(self, marks: Mapping[str, Mark]) -> None:
        for name in LOGS:
            self._logs[name] = Log(self.folder / name, marks[name], disk=self._disk)

    def _link(self) -> dict[str, Any]:
        """The next checkpoint's link to the one before it; the first one's, to the files that the run started with."""
        if self._head is not None:
            return {"follows": self._durable_round}
        return {"run": bound_digests(self.folder)}


def _line(row: Row) -> str:
    # NaN is not JSON, and other readers of the log would fail at it.
    return json.dumps(jsonable(row), allow_nan=False) + "\n"
