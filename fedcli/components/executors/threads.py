"""Clients on threads of this process: the compiled program releases the interpreter's lock."""

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

# Results that a worker may be ahead of the one that is waited for, so that a slow client stalls nobody.
_WINDOW_PER_WORKER = 4


def threads(*, workers: int | None = None) -> Executor:
    """One worker per core, each running whole clients; TensorFlow uses one thread within an operation.

    Small kernels do not split over cores, and clients do. One thread within an operation also makes
    results independent of the number of cores.

    Args:
        workers: clients trained at the same time; the number of cores if it is not given.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"an executor has at least 1 worker; received {workers}.", key="workers")
    return ThreadsExecutor(workers or available_cores())


@final
class ThreadsExecutor:
    """A thread pool that yields results in order and keeps a bounded number of them."""

    def __init__(self, workers: int) -> None:
        limit_tensorflow_threads(workers)
        self.num_workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fedcli-client")

    def run(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the results lazily, in the order of `items`; work that nobody waits for any more is dropped."""
        yield from in_order(self._pool, self.num_workers, work.begin(), items)

    def close(self) -> None:
        """Wait for work under way, drop the rest."""
        self._pool.shutdown(cancel_futures=True)


def in_order(
    pool: ThreadPoolExecutor, workers: int, act: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield `act(item)` for all items, lazily and in their order, holding a window of results at most."""
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
