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
    return _locked(os.open(folder, os.O_RDONLY), folder)


def hold_log(path: Path, run: Path) -> int:
    """Make a file for what a process prints, lock it, and return its handle, opened to append.

    A process that gets the handle as its standard output holds the lock as long as it lives, also after the one that
    started it was killed.

    Args:
        path: the file.
        run: what the process runs, for the error.

    Raises:
        RunError: if a process has locked it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return _locked(os.open(path, flags, 0o666), run)


def _locked(handle: int, what: Path) -> int:
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        # Windows has no such locks.
        pass
    except BlockingIOError:
        os.close(handle)
        raise RunError(f"another process is running {what}; wait for it, or stop it.") from None
    return handle


def release(handle: int) -> None:
    """End the lock."""
    os.close(handle)


def is_of(handle: int, folder: Path) -> bool:
    """Whether `folder` is still the one that was locked, and was not renamed or removed meanwhile."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(folder))
    except FileNotFoundError:
        return False


def is_held(folder: Path) -> bool:
    """Whether a process holds the lock on a folder."""
    try:
        release(hold(folder))
    except RunError:
        return True
    return False
