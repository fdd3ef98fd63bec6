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
from fedcli.core.roles import Executor
from fedcli.core.types import Item, Outcome_co

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
        _limit_tensorflow_threads(workers)
        self.num_workers = workers
        self._window = workers * (1 + _WINDOW_PER_WORKER)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fedcli-client")

    def map(self, work: Callable[[Item], Outcome_co], items: Iterable[Item]) -> Iterator[Outcome_co]:
        """Yield `work(item)` lazily, in the order of `items`; work that nobody waits for any more is dropped."""
        rest = iter(items)
        pending: deque[Future[Outcome_co]] = deque()
        try:
            for item in islice(rest, self._window):
                pending.append(self._pool.submit(work, item))
            while pending:
                result = pending.popleft().result()
                for item in islice(rest, 1):
                    pending.append(self._pool.submit(work, item))
                yield result
        finally:
            for future in pending:
                future.cancel()

    def close(self) -> None:
        """Wait for work under way, drop the rest."""
        self._pool.shutdown(cancel_futures=True)


def _limit_tensorflow_threads(workers: int) -> None:
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
