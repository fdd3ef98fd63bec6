"""Which workers have room for another task."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar, final

Worker = TypeVar("Worker", bound=Hashable)


@final
class Vacancies(Generic[Worker]):
    """Workers by the number of their tasks, so that none of thousands is looked at to find one with room.

    Args:
        workers: those that are there, without tasks.
        room: tasks that a worker has at most.
    """

    def __init__(self, workers: Iterable[Worker], room: int) -> None:
        self._load = dict.fromkeys(workers, 0)
        # A dictionary keeps the order in which workers came, and forgets one at once.
        self._with: list[dict[Worker, None]] = [{} for _ in range(room + 1)]
        self._with[0] = dict.fromkeys(self._load)

    def __len__(self) -> int:
        return len(self._load)

    def take(self) -> Worker | None:
        """The worker with the fewest tasks, which has one more from now on; None if no worker has room."""
        for workers in self._with[:-1]:
            if workers:
                worker = next(iter(workers))
                self._move(worker, 1)
                return worker
        return None

    def give_back(self, worker: Worker) -> None:
        """A worker has one task less."""
        self._move(worker, -1)

    def add(self, worker: Worker) -> None:
        """A worker came, without tasks."""
        self._load[worker] = 0
        self._with[0][worker] = None

    def remove(self, worker: Worker) -> None:
        """A worker has left, if it was there."""
        load = self._load.pop(worker, None)
        if load is not None:
            del self._with[load][worker]

    def _move(self, worker: Worker, change: int) -> None:
        del self._with[self._load[worker]][worker]
        self._load[worker] += change
        self._with[self._load[worker]][worker] = None
