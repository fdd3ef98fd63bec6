"""Worker processes end when the process that started them is killed, even in the middle of native code."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# As native code often does, the worker keeps the interpreter lock, so that no thread of Python can end it.
BUSY = """\
import ctypes
import os
from pathlib import Path


class Busy:
    def begin(self):
        return work


def work(item):
    Path(f"{os.getpid()}.pid").touch()
    ctypes.PyDLL(None).sleep(600)
"""

PARENT = """\
from busy import Busy, work

if __name__ == "__main__":
"""

POOLS = {
    "crypto": """\
    from fedcli.crypto.workers import elsewhere, side_by_side

    side_by_side(lambda item: elsewhere(work, item), [0, 1])
""",
    "executor": """\
    from fedcli.components.executors.processes import ProcessesExecutor

    list(ProcessesExecutor(2).run(Busy(), [0, 1]))
""",
}


def is_alive(pid):
    try:
        # A process that has ended stays in the table until somebody asks for its exit code.
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, a worker ends only after its native code")
@pytest.mark.parametrize(
    "pool",
    ["crypto", pytest.param("executor", marks=pytest.mark.slow)],  # TensorFlow is loaded three times.
)
def test_workers_end_after_their_parent_was_killed(pool, tmp_path):
    (tmp_path / "busy.py").write_text(BUSY)
    (tmp_path / "parent.py").write_text(PARENT + POOLS[pool])
    path = os.pathsep.join([str(Path(__file__).parents[3]), str(tmp_path)])
    parent = subprocess.Popen(
        [sys.executable, "parent.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}
    )
    try:
        while not (workers := [int(file.stem) for file in tmp_path.glob("*.pid")]):
            assert parent.poll() is None
            time.sleep(0.02)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    workers = [int(file.stem) for file in tmp_path.glob("*.pid")]
    # The worker sleeps ten times as long.
    deadline = time.monotonic() + 60
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    left = [pid for pid in workers if is_alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []
