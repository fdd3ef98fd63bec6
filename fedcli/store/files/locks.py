"""One process at a time: a lock on a folder that ends with its process, however it ends."""

from __future__ import annotations

import os
from pathlib import Path

from fedcli.core.errors import RunError


def hold(folder: Path) -> int:
    """Lock a folder; what is returned is for `release`.

    Raises:
        RunError: if another process holds it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        pass
    except BlockingIOError:
        os.close(handle)
        raise RunError(f"another process is running {folder}; wait for it, or stop it.") from None
    return handle


def release(handle: int) -> None:
    """Let others in."""
    os.close(handle)
