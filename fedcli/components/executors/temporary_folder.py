"""A temporary folder that is removed even if this process is killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import final

# The paths of Unix sockets have 107 bytes at most, of which the folder and Ray's names in it need 84.
_LONGEST = 23

# Waits for a byte, or for the end of its input, which comes when the other process ends in whatever way. Then it ends
# the processes that have files open below the folder (on Linux), since agents of Ray wait for minutes for a server that
# is dead, and removes the folder until nobody writes to it any more.
_WATCH = """
import os, shutil, signal, sys, time
folder, spared = sys.argv[1], (os.getpid(), os.getppid())
os.read(0, 1)

def inside(pid):
    try:
        files = [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return False
    return any(file.startswith(folder + os.sep) for file in files)

for _ in range(120):
    for pid in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        if int(pid) not in spared and inside(pid):
            try:
                os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass
    shutil.rmtree(folder, ignore_errors=True)
    if not os.path.exists(folder):
        break
    time.sleep(0.5)
"""


def _short(usual: str) -> str:
    return "/tmp" if len(os.fsencode(usual)) > _LONGEST else usual


@final
class TemporaryFolder:
    """A new folder for one process, which the owner of the process alone can enter."""

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=_short(tempfile.gettempdir())))
        # In a session of its own: Ctrl-C ends all processes of the terminal's group.
        self._watch = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCH, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def remove(self) -> None:
        """Remove it now."""
        shutil.rmtree(self.path, ignore_errors=True)
        # A byte and not the end of its input alone, which does not come while a forked child holds the pipe as well.
        self._watch.communicate(b".")
