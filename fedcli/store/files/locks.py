"""A lock on a folder, for one process at a time. It is released when the process ends, even if it is killed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fedcli.core.errors import RunError

_TRIES, _PAUSE_SECONDS = 5, 0.02


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
    # Not at once: whoever asks whether a run is running holds its lock for an instant.
    for _ in range(_TRIES):
        if _is_taken(handle):
            return handle
        time.sleep(_PAUSE_SECONDS)
    holder = _holder(os.fstat(handle))
    os.close(handle)
    who = "another process" if holder is None else f"process {holder}"
    raise RunError(f"{who} is running {what}; wait for it, or stop it.")


def _is_taken(handle: int) -> bool:
    """Whether this process now has the lock."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        # Windows has no such locks.
        return True
    except BlockingIOError:
        return False
    return True


def _holder(locked: os.stat_result) -> int | None:
    """The process that holds the lock on a file or folder; None if there is none, or the system does not say."""
    try:
        with open("/proc/locks", encoding="ascii") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    # "1: FLOCK ADVISORY WRITE 27245 fe:00:2147019 0 EOF"; a line of somebody who waits has an arrow before FLOCK.
    place = f"{os.major(locked.st_dev):02x}:{os.minor(locked.st_dev):02x}:{locked.st_ino}"
    found = [int(line[4]) for line in lines if len(line) > 5 and line[1] == "FLOCK" and line[5] == place]
    # In a container, a process outside of it has no number.
    return found[0] if found and found[0] > 0 else None


def release(handle: int) -> None:
    """End the lock."""
    os.close(handle)


def is_of(handle: int, folder: Path) -> bool:
    """Whether `folder` is still the one that was locked, and was not renamed or removed meanwhile."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(folder))
    except (FileNotFoundError, NotADirectoryError):
        return False


def holder(folder: Path) -> int | None:
    """The process that holds the lock on a folder; None if nobody does, or the system does not say who."""
    return _holder(os.stat(folder))


def is_held(folder: Path) -> bool:
    """Whether a process holds the lock on a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        return not _is_taken(handle)
    finally:
        os.close(handle)
