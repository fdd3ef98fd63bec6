"""The making of a run directory, of which two processes that begin at once cannot get the same."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fedcli.core.errors import ConfigError, RunError
from fedcli.store.directory import FolderTaken
from fedcli.store.files import durable, locks
from fedcli.store.files.disk import LOCAL, Disk, ExplainedDisk


@contextlib.contextmanager
def new_folder(folder: Path, *, disk: Disk = LOCAL) -> Iterator[Path]:
    """A draft to fill, which becomes `folder` at the end. A process that is killed leaves a complete one or none.

    Raises:
        FolderTaken: if `folder` exists at the end, or another process is filling its draft.
        ConfigError: if it cannot be made.
    """
    draft = durable.draft_of(folder)
    try:
        durable.make_folder(folder.parent, disk=disk)
        if draft.is_symlink():
            # What it leads to is not ours to empty.
            disk.remove(draft)
        # What a killed process left is used again; who holds its lock is alive.
        with contextlib.suppress(FileExistsError):
            disk.make_folder(draft)
        lock = locks.hold(draft)
    except (RunError, FileNotFoundError):
        raise FolderTaken(folder) from None
    except OSError as error:
        raise ConfigError(
            f"the run directory {folder} cannot be made: {error.strerror}: {error.filename}.",
            hint="Choose another with --run-dir.",
        ) from None
    try:
        # Between the look at the draft and its lock, the process that had it may have made it the run directory.
        if not locks.is_of(lock, draft):
            raise FolderTaken(folder)
        if folder.exists():
            # An empty draft was made here, after that process had renamed its own.
            with contextlib.suppress(OSError):
                disk.remove(draft)
            raise FolderTaken(folder)
        explained = ExplainedDisk(disk)
        durable.empty(draft, disk=explained)
        yield draft
        durable.publish(draft, folder, disk=explained)
    finally:
        locks.release(lock)
