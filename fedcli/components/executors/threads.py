"""Clients on threads of this process; compiled programs release Python's global interpreter lock."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Generic, final

from fedcli.components.executors.gpus import (
    calculate_the_same_bits,
    default_workers,
    let_gpu_memory_grow,
)
from fedcli.components.executors.kept_programs import keep_programs
from fedcli.core.errors import ConfigError, EndlessClientWarning, require_positive
from fedcli.core.large_import import large_import
from fedcli.core.roles import Abandonable, Bulky, Executor, Work
from fedcli.core.types import Item, Result

# How many results each worker may be ahead of the next one in order, so that a slow client does not stall the others.
# Bounded, because every result holds an update; of large models there are fewer.
_AHEAD_PER_WORKER, _MOST_BYTES_AHEAD = 4, 2**28


def threads(*, workers: int | None = None, client_timeout_seconds: float | None = None) -> Executor:
    """Whole clients in parallel, one on each core; TensorFlow uses one thread within an operation.

    Small operations do not split well over cores, but clients do. With one thread within an operation, results do not
    depend on the number of cores.

    Args:
        workers: number of clients that train at the same time, at least 1; by default the number
            of cores, or 1 where TensorFlow sees a GPU.
        client_timeout_seconds: after so many seconds, above 0, the run says which client has not ended; null for
            never. A thread cannot be ended: `processes` kills and rejects such a client.

    Raises:
        ConfigError: if a value is outside its range.
    """
    check_limits(workers, client_timeout_seconds)
    return ThreadsExecutor(workers or default_workers(), client_timeout_seconds)


def check_limits(workers: int | None = None, client_timeout_seconds: float | None = None) -> None:
    """Refuse limits of an executor that nothing could keep.

    Raises:
        ConfigError: if a value is outside its range.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"an executor has at least 1 worker; received {workers}.", key="workers")
    if client_timeout_seconds is not None:
        require_positive("client_timeout_seconds", client_timeout_seconds)


@final
class ThreadsExecutor:
    """A thread pool that yields results in order and holds a bounded number of them."""

    def __init__(self, workers: int, client_timeout_seconds: float | None = None) -> None:
        self._seconds, self._is_left = client_timeout_seconds, False
        limit_tensorflow_threads(workers)
        self.num_workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fedcli-client")

    def run(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the results lazily, in the order of `items`; if the caller stops early, pending work is cancelled."""
        act = work.begin()
        wait: Callable[[Future[Result]], Result] = Future.result
        if self._seconds is not None and isinstance(work, Abandonable):
            timed: _Timed[Item, Result] = _Timed(act, self._seconds)
            act, wait = timed.act, timed.wait
        try:
            yield from in_order(self._pool, window_of(work, self.num_workers), act, items, wait=wait)
        except KeyboardInterrupt:
            # Somebody waits no longer for what hangs, and `close` must not begin to.
            self._is_left = True
            raise

    def close(self) -> None:
        """Wait for running work, and cancel the rest."""
        self._pool.shutdown(wait=not self._is_left, cancel_futures=True)


@final
class _Timed(Generic[Item, Result]):
    """A function of items that says which of them have not ended after some seconds."""

    def __init__(self, act: Callable[[Item], Result], seconds: float) -> None:
        self._act, self._seconds = act, seconds
        self._running: dict[int, tuple[Item, float]] = {}
        self._told: set[tuple[int, float]] = set()

    def act(self, item: Item) -> Result:
        """The function itself, with the time at which it began."""
        thread = threading.get_ident()
        self._running[thread] = item, time.monotonic()
        try:
            return self._act(item)
        finally:
            del self._running[thread]

    def wait(self, future: Future[Result]) -> Result:
        """The result, for which the calling thread waits in short steps."""
        while True:
            try:
                return future.result(timeout=min(self._seconds, 1.0))
            except TimeoutError:
                # Perhaps the work's own.
                if future.done():
                    return future.result()
                self._tell()

    def _tell(self) -> None:
        for thread, (item, began) in list(self._running.items()):
            if time.monotonic() - began > self._seconds and (thread, began) not in self._told:
                self._told.add((thread, began))
                warnings.warn(
                    f"client {getattr(item, 'client', item)} has trained for more than {self._seconds:g} s. A thread "
                    "cannot be ended: Ctrl-C twice ends the run at once; with `executor: processes` such a client is "
                    "killed and rejected.",
                    EndlessClientWarning,
                    stacklevel=2,
                )


def window_of(work: object, workers: int) -> int:
    """How many items of some work are in progress, or done and not yet asked for: one for each worker or more."""
    ahead = workers * _AHEAD_PER_WORKER
    if isinstance(work, Bulky) and work.result_bytes:
        ahead = min(ahead, _MOST_BYTES_AHEAD // work.result_bytes)
    return workers + ahead


def in_order(
    pool: ThreadPoolExecutor,
    window: int,
    act: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    wait: Callable[[Future[Result]], Result] = Future.result,
) -> Iterator[Result]:
    """Yield `act(item)` for all items, lazily and in order; at most a window of results is held."""
    rest = iter(items)
    pending: deque[Future[Result]] = deque()
    try:
        for item in islice(rest, window):
            pending.append(pool.submit(act, item))
        while pending:
            result = wait(pending.popleft())
            for item in islice(rest, 1):
                pending.append(pool.submit(act, item))
            yield result
            # While the next result is waited for, this one may be freed: it may be as large as the model.
            del result
    finally:
        for future in pending:
            future.cancel()


def limit_tensorflow_threads(workers: int) -> None:
    """Set TensorFlow's thread counts, which it accepts only before its first operation in a process.

    From then on GPU memory grows, a GPU adds in a fixed order, and memory of the CPU is given back.
    """
    with large_import():
        import tensorflow as tf

    keep_programs()
    let_gpu_memory_grow()
    calculate_the_same_bits()
    # Its own allocator keeps what a client took, in regions of doubling size: several copies of a large model.
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
    settings = tf.config.threading
    # Set by an earlier run of this process; TensorFlow no longer lets the threads between operations change.
    if settings.get_intra_op_parallelism_threads() == 1:
        return
    try:
        settings.set_intra_op_parallelism_threads(1)
        settings.set_inter_op_parallelism_threads(workers)
    except RuntimeError:
        if os.environ.get("TF_NUM_INTRAOP_THREADS") == "1":
            return
        raise ConfigError(
            "TensorFlow was used in this process with several threads within an operation, which makes "
            "results depend on the number of cores.",
            key="name",
            hint="Call fedcli before other TensorFlow code, or set TF_NUM_INTRAOP_THREADS=1.",
        ) from None
