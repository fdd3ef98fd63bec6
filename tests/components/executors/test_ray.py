"""The executor `ray` with real processes: order, errors, lost actors and nodes, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from tiny import assembled

from fedcli.components.executors import EXECUTORS
from fedcli.core.errors import ConfigError, RunError

# Every worker imports TensorFlow.
pytestmark = pytest.mark.slow
pytest.importorskip("ray", reason="pip install 'fedcli[ray]'")


class Squares(NamedTuple):
    """Squares of numbers, and what may happen on the way.

    Args:
        values: a large array that all items share.
        fatal: the item at which a worker dies, while the file exists.
        once: a file that the dying worker removes.
    """

    values: np.ndarray = np.zeros(0)
    fatal: int = -1
    once: str = ""

    def begin(self):
        return self.square

    def square(self, item):
        if item == "broken":
            raise ValueError("this item is broken")
        if item == "write":
            self.values[0] = 1.0
        if item == "endless":
            time.sleep(3600)
        if item == self.fatal and os.path.exists(self.once):
            if os.path.isfile(self.once):
                os.remove(self.once)
            os.kill(os.getpid(), signal.SIGKILL)
        return item * item + (int(self.values[item]) if self.values.size else 0)

    def give_up(self, item, reason):
        return item, reason


@pytest.fixture(scope="module")
def pool():
    executor = EXECUTORS["ray"](workers=2)
    yield executor
    executor.close()


def test_results_come_in_order_and_the_shared_array_is_there(pool):
    assert list(pool.run(Squares(), range(50))) == [item * item for item in range(50)]
    values = np.arange(200_000.0)
    assert list(pool.run(Squares(values), range(20))) == [item * item + item for item in range(20)]
    assert pool.num_workers == 2


def test_an_error_of_the_work_is_raised_as_it_was_and_the_workers_go_on(pool):
    with pytest.raises(ValueError, match="this item is broken"):
        list(pool.run(Squares(), [1, "broken", 2]))
    assert list(pool.run(Squares(), [3])) == [9]


def test_nobody_can_write_into_what_all_share(pool):
    with pytest.raises(ValueError, match="read-only"):
        list(pool.run(Squares(np.zeros(200_000)), ["write"]))


def test_a_worker_that_dies_is_replaced_and_its_items_are_done_again(pool, tmp_path):
    once = tmp_path / "once"
    once.touch()
    before = len(pool.lost)
    found = list(pool.run(Squares(fatal=7, once=str(once)), range(20)))
    assert found == [item * item for item in range(20)]
    assert len(pool.lost) == before + 1
    assert "was lost" in pool.lost[-1]
    assert "trained again" in pool.lost[-1]


def test_an_item_that_kills_every_worker_ends_the_run(pool, tmp_path):
    with pytest.raises(RunError, match="3 workers were lost at a piece of work"):
        list(pool.run(Squares(fatal=2, once="/"), range(4)))
    assert list(pool.run(Squares(), [4])) == [16]


def test_an_item_that_does_not_end_is_given_up_and_the_others_go_on():
    executor = EXECUTORS["ray"](workers=1, client_timeout_seconds=5.0)
    try:
        found = list(executor.run(Squares(), [1, "endless", 3]))
        assert found == [1, ("endless", "it did not end within 5 s, and its process was killed"), 9]
    finally:
        executor.close()


def test_a_process_has_one_instance_and_does_not_take_it_for_a_cluster(pool):
    assert list(pool.run(Squares(), [1])) == [1]
    executor = EXECUTORS["ray"](workers=1, address="auto")
    with pytest.raises(
        ConfigError, match=r"connected to an instance of its own already; executor.address is auto"
    ):
        list(executor.run(Squares(), [1]))
    executor.close()
    assert list(pool.run(Squares(), [2])) == [4]


def test_an_executor_that_is_closed_is_not_opened_again():
    executor = EXECUTORS["ray"](workers=1)
    executor.close()
    with pytest.raises(RunError, match="closed"):
        list(executor.run(Squares(), [1]))


def test_a_module_that_only_this_process_has_is_named_at_the_start(tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text(
        "def blobs(seed):\n    from user_parts import blobs\n    return blobs(seed)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    __import__("only_here")
    # Gone for everybody who does not have it already.
    (tmp_path / "only_here.py").unlink()
    ray_of_one = "executor={name: ray, workers: 1}"
    with (
        pytest.raises(Exception, match="only_here") as found,
        assembled("data.name=only_here:blobs", ray_of_one),
    ):
        pass
    assert "on " in str(found.value)


DRIVER = """
import sys, time
sys.path[:0] = sys.argv[1:]
from fedcli.components.executors import EXECUTORS
from test_ray import Squares
executor = EXECUTORS["ray"](workers=1)
print(list(executor.run(Squares(), [2, 3])), flush=True)
print(sys.modules["fedcli.components.executors.ray_connection"]._FOLDERS[0].path, flush=True)
time.sleep(3600)
"""


def processes_with(folder):
    """Processes with files open below a folder, or with its name in their arguments."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            files = [os.readlink(each) for each in (place / "fd").iterdir()] if place.name.isdigit() else []
            files += (place / "cmdline").read_text().split("\0") if files else []
        except OSError:
            continue
        if any(folder in file for file in files):
            found.append(int(place.name))
    return found


def addresses_of(processes):
    """Where they listen, in hexadecimal digits, without the port."""
    sockets = set()
    for process in processes:
        for place in Path(f"/proc/{process}/fd").iterdir():
            try:
                sockets.add(os.readlink(place))
            except OSError:
                continue
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path("/proc/net", name).read_text().splitlines()[1:]
    ]
    is_listening = "0A"
    return {
        line[1].partition(":")[0]
        for line in lines
        if line[3] == is_listening and f"socket:[{line[9]}]" in sockets
    }


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_nothing_is_left_of_a_driver_that_was_killed(tmp_path):
    places = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *places],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    try:
        assert driver.stdout.readline() == "[4, 9]\n"
        folder = driver.stdout.readline().strip()
        assert Path(folder).is_dir()
        assert len(processes := processes_with(folder)) > 3
        # 127.0.0.1, as itself and in IPv6: whoever reaches a port can run code.
        assert addresses_of([driver.pid, *processes]) <= {"0100007F", "0000000000000000FFFF00000100007F"}
    finally:
        driver.kill()
        driver.communicate()
    until = time.monotonic() + 600
    while (left := processes_with(folder) or Path(folder).exists()) and time.monotonic() < until:
        time.sleep(0.5)
    assert not left
    # A token, for which every `ray start` of this user would ask from then on.
    assert not (tmp_path / ".ray").exists()
