"""Checks that the clients' states are those that the checkpoints refer to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fedcli.runs.verification.chain_links import Link
from fedcli.runs.verification.report import Finding
from fedcli.store import checkpoints, client_states, directory
from fedcli.store.files import guarded, limits
from fedcli.store.files.guarded import FileRefused
from fedcli.store.stored_tree import StoredTree

WHAT = "states of clients"


def checked_clients(run: Path, link: Link, seen: set[StoredTree]) -> Iterator[Finding]:
    """Check the states that a checkpoint refers to and that are not in `seen`, and add them to it."""
    if link.manifest is None:
        return
    try:
        tree = checkpoints.read_state_tree(link.folder, link.manifest)
        stored = client_states.from_index(run / directory.CLIENT_STATES, tree["clients"])
    except (FileRefused, ValueError) as error:
        file = (link.folder / checkpoints.STATE).relative_to(run).as_posix()
        sentence = f"{file} {error.reason if isinstance(error, FileRefused) else error}."
        yield Finding(WHAT, link.round, file, holds=False, sentence=sentence)
        return
    for kept in stored.values():
        if kept not in seen:
            seen.add(kept)
            file = kept.path.relative_to(run).as_posix()
            fault = guarded.fault(kept.path, kept.digest.hex(), below=run, limit=limits.BINARY)
            yield Finding(WHAT, kept.round, file, fault is None, f"{file} {fault}." if fault else "")
