"""Worker processes for encryption, commitments and proofs.

That work holds Python's global interpreter lock, so threads alone would run it one after another. Workers are spawned,
never forked: a fork would copy TensorFlow's threads and locks. They import no TensorFlow, and they end when this
process ends, however it ends. A process has one pool, made at its first use and shared by all runs.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from fedcli.core.concealment import forbid_core_dumps
from fedcli.core.errors import LostWorkersError
from fedcli.core.machine import available_cores

Given = ParamSpec("Given")
Result = TypeVar("Result")
Item = TypeVar("Item")

_MADE_ONCE = threading.Lock()
_STAYS = threading.Event()


def elsewhere(work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """`work(*args, **kwargs)` in a worker process; the calling thread waits, other threads go on.

    Args:
        work: a function of a module that needs no TensorFlow; arguments and result are pickled.

    Raises:
        LostWorkersError: if the worker was killed, for instance because memory ran out.
    """
    if _STAYS.is_set():
        return work(*args, **kwargs)
    with _working() as pool:
        return pool.submit(work, *args, **kwargs).result()


def timed(work: Callable[..., Result], *args: object) -> tuple[Result, float]:
    """The result of `work`, and its seconds in this process, without the time spent waiting for a worker."""
    begun = time.perf_counter()
    result = work(*args)
    return result, time.perf_counter() - begun


def timed_elsewhere(work: Callable[..., Result], *args: object) -> tuple[Result, float]:
    """The result of `work` in a worker process, and the seconds that it took there."""
    return elsewhere(timed, work, *args)


def spread(work: Callable[[Sequence[Item]], Result], items: Sequence[Item]) -> list[Result]:
    """`work` on consecutive pieces of `items`, one piece a core, at the same time; results in the order of the pieces.

    Raises:
        LostWorkersError: as `elsewhere`.
    """
    if _STAYS.is_set():
        return [work(items)] if items else []
    length = max(1, -(-len(items) // available_cores()))
    with _working() as pool:
        pieces = range(0, len(items), length)
        futures = [pool.submit(work, items[start : start + length]) for start in pieces]
        return [future.result() for future in futures]


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`work` on every item, several at a time, for work that mostly waits for `elsewhere`; results in order."""
    with ThreadPoolExecutor(available_cores()) as threads:
        return list(threads.map(work, items))


def stay_in_this_process() -> None:
    """Do all further work in this process. For a worker process, whose core has no other work."""
    _STAYS.set()


@contextmanager
def _working() -> Iterator[ProcessPoolExecutor]:
    # With the cache alone, two threads that make the first call at the same time would make two pools.
    with _MADE_ONCE:
        pool = _pool()
    try:
        yield pool
    except BrokenProcessPool as error:
        # A broken pool refuses all further work; the next call makes a new one.
        _pool.cache_clear()
        raise LostWorkersError(
            "a process that encrypts or proves was ended from outside, perhaps because memory ran out.\n"
            "Resume the run with `fedcli run --resume`. In a script that runs experiments, keep the calls below "
            "`if __name__ == '__main__':`."
        ) from error


@functools.cache
def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        available_cores(), multiprocessing.get_context("spawn"), initializer=begin_process
    )


def begin_process() -> None:
    """Make this process a worker: the run ends it and no terminal, it uses one core and leaves no core dump."""
    forbid_core_dumps()
    # Ctrl-C, and the end of a terminal, reach all of its processes; the run decides when its workers end.
    for name in ("SIGINT", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)
    end_with_parent()
    # Every core has a worker, so more threads in matrix products would double their time. NumPy reads these
    # variables when it is imported, which happens with the first work.
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def end_with_parent() -> None:
    """End this worker process with its parent: one that is killed cannot shut its pool down."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    # This thread waits for the end of the pipe that the parent holds open, on any system.
    threading.Thread(target=wait, daemon=True).start()
    # It needs the interpreter lock to end the process, which native code may hold for minutes. Linux itself can end it:
    # the end of the pipe sends SIGIO. PR_SET_PDEATHSIG would send a signal when the thread ends that started the
    # worker, and those of `side_by_side` end before the workers.
    if sys.platform == "linux":
        import fcntl

        signal.signal(signal.SIGIO, signal.SIG_DFL)
        pipe = parent.sentinel
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
