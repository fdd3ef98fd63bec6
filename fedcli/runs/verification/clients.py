"""Checks that the clients' states are those that the checkpoints refer to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fedcli.core import trees
from fedcli.core.errors import RunError
from fedcli.runs.verification.chain_links import Link
from fedcli.runs.verification.report import Finding
from fedcli.store import checkpoints, client_states, directory
from fedcli.store.client_states import StoredTree
from fedcli.store.files import durable, npz

WHAT = "states of clients"


def checked_clients(run: Path, link: Link, seen: set[StoredTree]) -> Iterator[Finding]:
    """Check the states that a checkpoint refers to and that are not in `seen`, and add them to it."""
    try:
        stored = _index(run, link)
    # What is raised depends on how an index was forged.
    except (RunError, LookupError, TypeError, ValueError, AttributeError):
        file = (link.folder / checkpoints.STATE).relative_to(run).as_posix()
        sentence = f"{file} has no index of the clients' states."
        yield Finding(WHAT, link.round, file, holds=False, sentence=sentence)
        return
    for tree in stored:
        if tree not in seen:
            seen.add(tree)
            file, fault = tree.path.relative_to(run).as_posix(), durable.fault(tree.path, tree.digest.hex())
            yield Finding(WHAT, tree.round, file, fault is None, f"{file} {fault}." if fault else "")


def _index(run: Path, link: Link) -> list[StoredTree]:
    index = trees.from_table(npz.read_arrays(link.folder / checkpoints.STATE))["clients"]
    stored = client_states.from_index(run / directory.CLIENT_STATES, index).values()
    return [tree for tree in stored if isinstance(tree, StoredTree) and tree.path]
