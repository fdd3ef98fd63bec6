"""Clients in spawned processes of this machine, each with its own Python and TensorFlow."""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import queue
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, cast, final

from fedcli.components.executors.dispatch import WAY_ON, lost_sentence, named
from fedcli.components.executors.gpus import default_workers
from fedcli.components.executors.parcels import pickled, portable
from fedcli.components.executors.threads import check_limits, in_order, limit_tensorflow_threads, window_of
from fedcli.core.errors import ConfigError, LostWorkersError, RunError
from fedcli.core.roles import Abandonable, Executor, Work
from fedcli.core.types import Item, Result
from fedcli.crypto.workers import begin_process, stay_in_this_process

_ATTEMPTS = 2
"""How often an item is tried. A process that was killed is replaced once; results are the same to the bit."""


def processes(*, workers: int | None = None, client_timeout_seconds: float | None = None) -> Executor:
    """Whole clients in parallel processes, for components whose Python code holds the global interpreter lock.

    Each process builds the experiment from its config, which takes the time to import TensorFlow and the memory of the
    dataset. `threads` needs neither and is faster if TensorFlow does most of the work. Results are the same to the
    bit. A process that dies is replaced, and its client is trained again.

    Args:
        workers: number of clients that train at the same time, at least 1; by default the number of cores.
        client_timeout_seconds: after so many seconds of this machine's clock, above 0, a client is killed and
            rejected; null to wait for ever. A process compiles its program while it trains its first client, which
            takes some seconds. Who is late depends on the machine, so that the bits of such a run may differ.

    Raises:
        ConfigError: if a value is outside its range.
    """
    check_limits(workers, client_timeout_seconds)
    return ProcessesExecutor(workers or default_workers(), client_timeout_seconds)


class _Sent(NamedTuple):
    """Pickled work, with a number by which a process knows whether it has it already."""

    number: int
    content: bytes


_BEGUN = b"begun"
"""What a process answers before the result of an item; a pickle begins with another byte."""


@final
class _Process:
    """A worker process, and this process's end of the pipe to it."""

    def __init__(self) -> None:
        # Not forked: a fork has TensorFlow's locks and not its threads.
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there,), name="fedcli-worker")
        self._process.start()
        # While it is open here too, the death of the worker would not end the pipe.
        there.close()
        self._has = -1

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs; it may have been killed while it waited."""
        return self._process.is_alive()

    def do(self, work: _Sent, item: Any, seconds: float | None = None) -> tuple[bool, Any] | None:
        """Whether the item has a result, and the result or the error that its work raised; None after the time limit.

        Raises:
            EOFError, OSError: if the process has ended.
        """
        # The work holds the model; it is sent once a round and not with every client.
        if self._has != work.number:
            self._here.send((True, work.content))
            self._has = work.number
        self._here.send((False, pickle.dumps(item, pickle.HIGHEST_PROTOCOL)))
        content = self._here.recv_bytes()
        if content == _BEGUN:
            # To build the experiment is not the client's work, so that the time of the item begins here.
            if not self._here.poll(seconds):
                return None
            content = self._here.recv_bytes()
        answer: tuple[bool, Any] = pickle.loads(content)
        return answer

    @property
    def end(self) -> str:
        """How the process has ended."""
        code = self._process.exitcode or 0
        return f"ended by signal {-code}" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """End the process, even if it still trains a client of a run that was stopped."""
        self._process.kill()
        self._process.join()

    def release(self) -> None:
        """Give the descriptors of a process that has ended back, once no thread waits for an answer of it."""
        self._here.close()
        self._process.close()


@final
class ProcessesExecutor:
    """A pool of processes, each served by one thread that sends it the work of a round once, and then the items."""

    def __init__(self, workers: int, client_timeout_seconds: float | None = None) -> None:
        # Python refuses it too, but only at the first client.
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise ConfigError(
                "a worker process reads the script from its beginning, and would begin the run again.",
                key="name",
                hint='Keep what a script runs below `if __name__ == "__main__":`.',
            )
        self._seconds = client_timeout_seconds
        # This process trains nothing, but it draws the initial weights, and compiles, as its workers do.
        limit_tensorflow_threads(workers)
        self.num_workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fedcli-client")
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._all: list[_Process] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self._works = 0
        self.lost: list[str] = []

    @property
    def processes_per_machine(self) -> int:
        """All workers."""
        return self.num_workers

    def run(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield the results lazily, in the order of `items`; if the caller stops early, pending work is cancelled.

        Raises:
            ConfigError: if the work cannot be pickled.
            LostWorkersError: if two processes are killed while they work on the same item.
        """
        self._works += 1
        sent = _Sent(self._works, pickled(work))

        def act(item: Item) -> Result:
            return cast(Result, self._done(sent, item, work))

        yield from in_order(self._pool, window_of(work, self.num_workers), act, items)

    def close(self) -> None:
        """End all processes; clients that are still trained, for a run that was stopped, are not waited for."""
        with self._lock:
            self._is_closed = True
            for process in self._all:
                process.kill()
        # The threads that waited for them end, and release theirs.
        self._pool.shutdown(cancel_futures=True)
        while self._all:
            self._all.pop().release()

    def _done(self, sent: _Sent, item: Any, work: object) -> Any:
        # Nothing could take the place of a piece of the test set that does not end.
        seconds = self._seconds if isinstance(work, Abandonable) else None
        for _ in range(_ATTEMPTS):
            process = self._process()
            try:
                found = process.do(sent, item, seconds)
            except (EOFError, OSError):
                cause = self._ended(process)
                self.lost.append(lost_sentence("a worker process", cause, [item]))
                continue
            if found is None:
                self._ended(process)
                return cast(Abandonable[Any, Any], work).give_up(
                    item, f"it did not end within {seconds:g} s, and its process was killed"
                )
            is_result, answer = found
            self._idle.put(process)
            if is_result:
                return answer
            raise cast(BaseException, answer)
        raise LostWorkersError(
            f"{_ATTEMPTS} worker processes were lost at {named([item])}, perhaps because memory ran out. The last one: "
            f"{cause}.\n{WAY_ON}"
        )

    def _process(self) -> _Process:
        # A process that was killed while it waited has failed at nothing, and costs no attempt.
        while not self._idle.empty():
            with contextlib.suppress(queue.Empty):
                process = self._idle.get_nowait()
                if process.is_alive:
                    return process
                self._ended(process)
        with self._lock:
            if self._is_closed:
                raise RunError("the executor is closed.")
            process = _Process()
            self._all.append(process)
            return process

    def _ended(self, process: _Process) -> str:
        """End a process, whose place another one takes, and say how it ended."""
        process.kill()
        cause = process.end
        with self._lock:
            # Otherwise `close` has it.
            if process in self._all:
                self._all.remove(process)
                process.release()
        return cause


def _serve(there: Connection) -> None:
    """The main function of a worker process: receives work and then its items, until the pipe is closed."""
    begin_process()
    # Slurm and systemd send it to every process of a run, which then decides when its workers end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Work that `elsewhere` would move to a further process is done here: no other thread of a worker waits for it.
    stay_in_this_process()
    limit_tensorflow_threads(1)
    work, act = b"", None
    while True:
        try:
            is_work, content = there.recv()
        except (EOFError, OSError):
            return
        if is_work:
            work, act = content, None
            continue
        try:
            # Begun here and not on arrival, so that an error of building the experiment is an answer to an item.
            act = act or pickle.loads(work).begin()
            there.send_bytes(_BEGUN)
            answer = pickle.dumps((True, act(pickle.loads(content))), pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # noqa: BLE001 - whatever fails here is raised again where the result is awaited
            answer = pickle.dumps((False, portable(error)), pickle.HIGHEST_PROTOCOL)
        there.send_bytes(answer)
