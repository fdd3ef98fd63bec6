"""A thread that writes while the run goes on: one job at a time, which the next change of the run waits for."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import final

LARGE = 2**25
"""Bytes of a model. Of a smaller one a checkpoint takes a moment, so that it is written before anything goes on."""


@final
class WriterThread:
    """Does one job in a thread of its own, and says at the next `settle` how it went.

    The caller changes nothing on the disk before `settle`. So all changes have one order, with the thread and without.
    """

    def __init__(self) -> None:
        # The thread begins with the first job: a run of small models has none.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fedcli-checkpoint")
        self._running: Future[None] | None = None

    def begin(self, job: Callable[[], None], *, size: int) -> None:
        """Begin a job on a model of so many bytes, after the one before is settled; a small one is done at once."""
        if size < LARGE:
            job()
        else:
            self._running = self._pool.submit(job)

    def settle(self) -> None:
        """Wait for the job that was begun, if any, and raise what it raised, once."""
        if self._running is None:
            return
        # Ctrl-C in this line leaves the job to the next call.
        wait([self._running])
        done, self._running = self._running, None
        done.result()

    @property
    def is_at_work(self) -> bool:
        """Whether a job still runs, which Ctrl-C has kept `close` from waiting for."""
        return self._running is not None and not self._running.done()

    def close(self) -> None:
        """Settle, and end the thread."""
        try:
            self.settle()
        finally:
            self._pool.shutdown()
