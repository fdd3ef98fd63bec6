"""Other processes for work that holds the interpreter's lock: encryption, commitments, proofs.

They are spawned and never forked, import what the work needs and no TensorFlow, and end with this process, however it
ends. There is one pool a process, made when it is first used and shared by all runs.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from fedcli.core.errors import RunError
from fedcli.core.machine import available_cores

Given = ParamSpec("Given")
Result = TypeVar("Result")
Item = TypeVar("Item")

_MADE_ONCE = threading.Lock()
_STAYS = threading.Event()


def elsewhere(work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """`work(*args, **kwargs)` in another process; waits for it and lets other threads go on meanwhile.

    Args:
        work: a function of a module that needs no TensorFlow; arguments and result are pickled.

    Raises:
        RunError: if the other process was ended, for instance for want of memory.
    """
    if _STAYS.is_set():
        return work(*args, **kwargs)
    with _working() as pool:
        return pool.submit(work, *args, **kwargs).result()


def spread(work: Callable[[Sequence[Item]], Result], items: Sequence[Item]) -> list[Result]:
    """`work` on pieces of `items`, in order, at the same time in as many processes as there are cores.

    Raises:
        RunError: as `elsewhere`.
    """
    if _STAYS.is_set():
        return [work(items)] if items else []
    length = max(1, -(-len(items) // available_cores()))
    with _working() as pool:
        pieces = range(0, len(items), length)
        futures = [pool.submit(work, items[start : start + length]) for start in pieces]
        return [future.result() for future in futures]


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`work` of every item, several at a time, for work that spends its time `elsewhere`; results in their order."""
    with ThreadPoolExecutor(available_cores()) as threads:
        return list(threads.map(work, items))


def stay_in_this_process() -> None:
    """From here on, do all work in this process: for a worker whose core has nothing else to do."""
    _STAYS.set()


@contextmanager
def _working() -> Iterator[ProcessPoolExecutor]:
    with _MADE_ONCE:
        pool = _pool()
    try:
        yield pool
    except BrokenProcessPool as error:
        _pool.cache_clear()
        raise RunError(
            "a process that encrypts or proves was ended from outside, perhaps for want of memory.\n"
            "Resume the run with `fedcli run --resume`; a script that runs experiments keeps its calls below "
            "`if __name__ == '__main__':`."
        ) from error


@functools.cache
def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        available_cores(), multiprocessing.get_context("spawn"), initializer=begin_process
    )


def begin_process() -> None:
    """Make this process a worker: Ctrl-C is left to its parent, with which it ends, and it has one core."""
    # Ctrl-C reaches every process of the terminal; the run decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # A core has one process, so that more threads in matrix products would double their time. NumPy reads this when
    # it is imported, which the first work does.
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
