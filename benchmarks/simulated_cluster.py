"""A round of the executor ray in virtual time: its own order of work on workers, a link and a driver that only count.

    python benchmarks/simulated_cluster.py [--client-seconds 0.3] [--parameters 1663370] [--message-seconds 0.0004]

Prints the table of `docs/scale.md`. `benchmarks/ray_cluster.py` measures real rounds beside the same simulation.
"""

from __future__ import annotations

import argparse
import heapq
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, final

sys.path.insert(0, str(Path(__file__).parent.parent))

from fedcli.components.executors.dispatch import Done, Event, Piece, dispatched, in_blocks, one_by_one
from fedcli.components.executors.threads import window_of
from fedcli.components.executors.vacancies import Vacancies
from fedcli.core.roles import Executor
from fedcli.core.sums import BLOCK

MESSAGE_SECONDS = 0.0004
"""Of the driver's time, as `benchmarks/ray_cluster.py` measures it (0.3 to 0.4 ms)."""


class Cluster(NamedTuple):
    """What the time of a round depends on.

    Args:
        nodes: machines, of which the first is the driver's as well.
        workers: clients that train at the same time on a node.
        parameters: weights of the model, 4 bytes each; 8 in a sum.
        client_seconds: one client's training on one core.
        cores: of a node, the driver's work among theirs; null for one a worker, and one for the driver.
        bytes_per_second: of the driver's network link, in each direction.
        adds_per_second: values that the driver copies out of shared memory, checks and adds in a second.
        message_seconds: of the driver's time, to send a task and to receive its result.
        look_seconds: of the driver's time for each task under way, whenever it looks which have ended.
    """

    nodes: int
    workers: int
    parameters: int
    client_seconds: float
    cores: int | None = None
    bytes_per_second: float = 10e9 / 8
    adds_per_second: float = 4e8
    message_seconds: float = MESSAGE_SECONDS
    look_seconds: float = 1.4e-6

    @property
    def result_bytes(self) -> int:
        """As `engine.client_work` says it of a real round."""
        return 4 * self.parameters


class Times(NamedTuple):
    """A simulated round.

    Args:
        seconds: from the beginning to the last sum.
        parts: seconds of the worker that trains longest, of the link in each direction, and of the driver.
        messages: tasks, each of which has a result.
        received: bytes of results, those of the driver's own node among them.
    """

    seconds: float
    parts: dict[str, float]
    messages: int
    received: int

    @property
    def longest(self) -> str:
        """The part that takes longest."""
        return max(self.parts, key=lambda name: self.parts[name])


@final
class VirtualCrew:
    """Workers that only take time (`dispatch.Crew`)."""

    def __init__(self, cluster: Cluster) -> None:
        self.num_workers = cluster.nodes * cluster.workers
        self.now = self.driver = self.link = 0.0
        self.messages = self.received = self._under_way = 0
        self.trained = [0.0] * self.num_workers
        self._cluster = cluster
        self._vacancies = Vacancies(range(self.num_workers), room=2)
        self._tasks: list[deque[Piece]] = [deque() for _ in range(self.num_workers)]
        # When each core of a node is free. Workers of a node with fewer cores take turns after each client.
        self._cores = [[0.0] * (cluster.cores or cluster.workers) for _ in range(cluster.nodes)]
        self._link_is_free = 0.0
        # Time, number, worker, the task, and how many of its clients are left; None after its result has arrived.
        self._events: list[tuple[float, int, int, Piece, int | None]] = []
        self._order = count()

    @property
    def model_seconds(self) -> float:
        """How long the driver's link sends the model to all other nodes, one after another."""
        return (self._cluster.nodes - 1) * self._cluster.result_bytes / self._cluster.bytes_per_second

    def offer(self, task: Piece) -> bool:
        """Give a task to the worker with the least to do."""
        worker = self._vacancies.take()
        if worker is None:
            return False
        self.work(self._cluster.message_seconds / 2)
        self.messages += 1
        self._under_way += 1
        self._tasks[worker].append(task)
        if len(self._tasks[worker]) == 1:
            self._push(max(self.now, self._has_model(worker)), worker, task, len(task.items))
        return True

    def wait(self) -> Sequence[Event]:
        """The results that have arrived, as soon as one has."""
        arrived: list[Event] = []
        while self._events and (not arrived or self._events[0][0] <= self.now):
            moment, _, worker, task, left = heapq.heappop(self._events)
            if left is None:
                self.now = max(self.now, moment)
                if not arrived:
                    self.work(self._under_way * self._cluster.look_seconds)
                self._under_way -= 1
                self._vacancies.give_back(worker)
                arrived.append(Done(task, lambda task=task: _results(task)))
            elif left:
                self._train(moment, worker, task, left)
            else:
                self._send(moment, worker, task)
        self.work(len(arrived) * self._cluster.message_seconds / 2)
        return arrived

    def work(self, seconds: float) -> None:
        """The driver does something."""
        if self._cluster.cores is not None:
            cores = self._cores[0]
            heapq.heapreplace(cores, max(cores[0], self.now) + seconds)
        self.now += seconds
        self.driver += seconds

    def _has_model(self, worker: int) -> float:
        # Actors are spread over the nodes in turn.
        node = worker % self._cluster.nodes
        return node * self._cluster.result_bytes / self._cluster.bytes_per_second

    def _train(self, moment: float, worker: int, task: Piece, left: int) -> None:
        cores = self._cores[worker % self._cluster.nodes]
        end = max(moment, cores[0]) + self._cluster.client_seconds
        heapq.heapreplace(cores, end)
        self.trained[worker] += self._cluster.client_seconds
        self._push(end, worker, task, left - 1)

    def _send(self, moment: float, worker: int, task: Piece) -> None:
        num_bytes = (8 if task.folds else 4 * len(task.items)) * self._cluster.parameters
        self.received += num_bytes
        arrival = moment
        if worker % self._cluster.nodes:
            seconds = num_bytes / self._cluster.bytes_per_second
            self.link += seconds
            arrival = self._link_is_free = max(self._link_is_free, moment) + seconds
        self._push(arrival, worker, task, None)
        self._tasks[worker].popleft()
        if self._tasks[worker]:
            following = self._tasks[worker][0]
            self._push(moment, worker, following, len(following.items))

    def _push(self, moment: float, worker: int, task: Piece, left: int | None) -> None:
        heapq.heappush(self._events, (moment, next(self._order), worker, task, left))


def _results(task: Piece) -> Sequence[bool]:
    """Whether each client's result has a vector that the driver adds: of a folded block, the first."""
    return [not task.folds or position == 0 for position in range(len(task.items))]


def simulated(cluster: Cluster, cohort: int, *, sums: bool) -> Times:
    """A round of the executor `ray`, in the blocks, the order and the window of the executor itself.

    Args:
        cluster: the machines.
        cohort: clients of the round.
        sums: whether a worker sends the sum of a block.
    """
    crew, clients = VirtualCrew(cluster), range(cohort)
    pieces = one_by_one(iter(clients))
    if sums:
        blocks = [clients[first : first + BLOCK] for first in range(0, cohort, BLOCK)]
        pieces = in_blocks(blocks, crew.num_workers)
    window = window_of(_Bulk(cluster.result_bytes), crew.num_workers)
    for is_added in dispatched(crew, pieces, window=window, give_up=_never):
        if is_added:
            crew.work(cluster.parameters / cluster.adds_per_second)
    parts = {
        "training": max(crew.trained),
        "the model's way": crew.model_seconds,
        "the results' way": crew.link,
        "the driver": crew.driver,
    }
    return Times(crew.now, parts, crew.messages, crew.received)


class Nothing(NamedTuple):
    """Work that takes no time, so that what is left of a round is its messages."""

    def begin(self) -> Callable[[int], int]:
        """Each item is its own result."""
        return int

    @property
    def result_bytes(self) -> int:
        """Not in chunks: each item is a message, as that of a client is."""
        return 0


def measured_message_seconds(executor: Executor, messages: int = 2000) -> float:
    """Seconds for which this thread calculates for a task and its result; it may wait for longer.

    Args:
        executor: the executor `ray`, before it has other work.
        messages: how many tasks.
    """
    list(executor.run(Nothing(), range(100)))
    begun = time.thread_time()
    list(executor.run(Nothing(), range(messages)))
    return (time.thread_time() - begun) / messages


class _Bulk(NamedTuple):
    """`core.roles.Bulky`."""

    result_bytes: int


def _never(item: Any) -> Any:
    raise AssertionError(f"nothing is late in virtual time: {item}")


SHAPES = ((10, 320), (10, 10_000), (100, 10_000), (1000, 10_000), (1000, 100_000))
"""Nodes and cohorts of the table."""


def projection(
    parameters: int,
    client_seconds: float,
    message_seconds: float = MESSAGE_SECONDS,
    shapes: Sequence[tuple[int, int]] = SHAPES,
) -> list[str]:
    """The table of larger clusters, as Markdown."""
    names = ("nodes", "cohort", "summed", "messages", "received", "training s", "model s", "results s", "driver s",
             "round s", "longest part")  # fmt: skip
    rows = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for nodes, cohort in shapes:
        for sums in (True, False):
            cluster = Cluster(nodes, 8, parameters, client_seconds, message_seconds=message_seconds)
            found = simulated(cluster, cohort, sums=sums)
            cells = (f"{nodes:,}", f"{cohort:,}", "yes" if sums else "no", f"{found.messages:,}",
                     f"{found.received / 1e9:.1f} GB", *(f"{each:.1f}" for each in found.parts.values()),
                     f"{found.seconds:.1f}", found.longest)  # fmt: skip
            rows.append(f"| {' | '.join(cells)} |")
    return rows


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Rounds of larger clusters in virtual time.")
    parser.add_argument("--client-seconds", type=float, default=0.3, help="of one client on one core")
    parser.add_argument("--parameters", type=int, default=1_663_370, help="of the model")
    parser.add_argument(
        "--message-seconds",
        type=float,
        default=MESSAGE_SECONDS,
        help="of the driver, for a task and its result",
    )
    arguments = parser.parse_args()
    print("\n".join(projection(arguments.parameters, arguments.client_seconds, arguments.message_seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
