"""Clients on threads of this process; compiled programs release Python's global interpreter lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import final

from fedcli.core.errors import ConfigError
from fedcli.core.machine import available_cores
from fedcli.core.roles import Executor, Work
from fedcli.core.types import Item, Result

# How many results each worker may be ahead of the next one in order, so that a slow client does not stall the others.
# Bounded, because every result holds an update.
_WINDOW_PER_WORKER = 4


def threads(*, workers: int | None = None) -> Executor:
    """Whole clients in parallel, one on each core; TensorFlow uses one thread within an operation.

    Small operations do not split well over cores, but clients do. With one thread within an operation, results do not
    depend on the number of cores.

    Args:
        workers: number of clients that train at the same time, at least 1; by default the number of cores.

    Raises:
        ConfigError: if `workers` is below 1.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"an executor has at least 1 worker; received {workers}.", key="workers")
    return ThreadsExecutor(workers or available_cores())


@final
class ThreadsExecutor:
    """A thread pool that yields results in order and holds a bounded number of them."""

    def __init__(self, workers: int) -> None:
        limit_tensorflow_threads(workers)
        self.num_workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fedcli-client")

    def run(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the results lazily, in the order of `items`; if the caller stops early, pending work is cancelled."""
        yield from in_order(self._pool, self.num_workers, work.begin(), items)

    def close(self) -> None:
        """Wait for running work, and cancel the rest."""
        self._pool.shutdown(cancel_futures=True)


def in_order(
    pool: ThreadPoolExecutor, workers: int, act: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield `act(item)` for all items, lazily and in order; at most a window of results is held."""
    rest, window = iter(items), workers * (1 + _WINDOW_PER_WORKER)
    pending: deque[Future[Result]] = deque()
    try:
        for item in islice(rest, window):
            pending.append(pool.submit(act, item))
        while pending:
            result = pending.popleft().result()
            for item in islice(rest, 1):
                pending.append(pool.submit(act, item))
            yield result
    finally:
        for future in pending:
            future.cancel()


def limit_tensorflow_threads(workers: int) -> None:
    """Set TensorFlow's thread counts, which it accepts only before its first operation in a process."""
    import tensorflow as tf

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
