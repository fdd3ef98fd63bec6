"""privacy.json at the top of a run directory: a copy of the last checkpoint's."""

from __future__ import annotations

from pathlib import Path

from fedcli.store.directory import PRIVACY
from fedcli.store.files import durable, guarded, limits
from fedcli.store.files.disk import LOCAL, Disk


def make(run: Path, checkpoint: Path, *, disk: Disk = LOCAL) -> None:
    """Copy the statement of a checkpoint if it is not there yet; older checkpoints have none."""
    source, copy = checkpoint / PRIVACY, run / PRIVACY
    if not guarded.exists(source, below=run):
        return
    statement = guarded.read_bytes(source, below=run, limit=limits.JSON)
    is_there = guarded.exists(copy, below=run)
    if not is_there or guarded.read_bytes(copy, below=run, limit=limits.JSON) != statement:
        durable.write(copy, statement, disk=disk)
