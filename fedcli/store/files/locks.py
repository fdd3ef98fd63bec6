"""A lock on a folder, for one process at a time. It is released when the process ends, even if it is killed."""

from __future__ import annotations

import os
from pathlib import Path

from fedcli.core.errors import RunError


def hold(folder: Path) -> int:
    """Lock a folder, and return the handle for `release`.

    Raises:
        RunError: if another process has locked it.
    """
    # The folder itself: a lock file would outlive a process that is killed.
    handle = os.open(folder, os.O_RDONLY)
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        # Windows has no such locks.
        pass
    except BlockingIOError:
        os.close(handle)
        raise RunError(f"another process is running {folder}; wait for it, or stop it.") from None
    return handle


def release(handle: int) -> None:
    """End the lock."""
    os.close(handle)


def is_held(folder: Path) -> bool:
    """Whether a process holds the lock on a folder."""
    try:
        release(hold(folder))
    except RunError:
        return True
    return False
