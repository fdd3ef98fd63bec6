"""Asynchronous rounds: clients come and go on the simulated clock, and a round is one flush of the buffer.

Nguyen et al. 2022, arXiv:2106.06639 (FedBuff). A fixed number of clients is always at work. Whoever is done hands in
its update and is replaced by a client drawn from those at rest, which starts from the model of that moment. When the
buffer is full, the server moves, and the round ends. Clients that are then still at work go on; each carries the
number of the model it started from, which is kept until nobody needs it.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple, final

import numpy as np

from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import RoundState, Tree, Vector
from fedcli.participation import Turn, Turnout, is_dropped, seconds_needed
from fedcli.parts import Parts


class Flight(NamedTuple):
    """A client at work: when its update arrives, who it is, and the round after which it received the model."""

    arrives: float
    client: int
    model: int
    began: float


def flush(parts: Parts, state: RoundState, round: int) -> Turnout:
    """The clients whose updates fill the buffer next, in the order of their arrival.

    A client takes part at most once in a round. Drop-outs are noticed when their update was due; they leave
    their place to others and are not counted. A buffer that nobody is left to fill is flushed as it is.
    """
    buffer = parts.strategy.buffer
    if buffer is None:
        raise ValueError(f"{parts.strategy.name} has no buffer")
    work = _Work(parts, state, round)
    work.begin(state.seconds, work.num_places - len(work.flights))
    turns: list[Turn] = []
    now, arrived = state.seconds, 0
    while arrived < buffer.size and work.flights:
        flight = heapq.heappop(work.flights)
        now = flight.arrives
        absence = "dropped out" if is_dropped(parts, flight.model + 1, flight.client) else None
        arrived += absence is None
        turns.append(
            Turn(
                flight.client,
                flight.model,
                seconds=now - flight.began,
                absence=absence,
                staleness=round - 1 - flight.model,
            )
        )
        work.begin(now, 1)
    return Turnout(turns, now - state.seconds, _underway(work.flights, state))


@final
class _Work:
    """Who is at work; changed while a round's arrivals are worked out."""

    def __init__(self, parts: Parts, state: RoundState, round: int) -> None:
        self._parts, self._round = parts, round
        self._rng = generator(parts.seed, round, SERVER, "dispatch")
        self.num_places = int(parts.cohort.expected_size(parts.num_clients))
        self.flights = _flights(state.underway)
        heapq.heapify(self.flights)
        # Whoever is or was at work in this round, and so may not begin in it again.
        self._taken = {flight.client for flight in self.flights}

    def begin(self, now: float, count: int) -> None:
        """Draw up to `count` clients uniformly from those at rest, and send them the present model."""
        population = self._parts.num_clients
        for _ in range(min(count, population - len(self._taken))):
            client = int(self._rng.integers(population))
            while client in self._taken:
                client = int(self._rng.integers(population))
            self._taken.add(client)
            arrives = now + seconds_needed(self._parts, self._round, client)
            heapq.heappush(self.flights, Flight(arrives, client, self._round - 1, now))


def model_of(state: RoundState, turn: Turn) -> tuple[Vector, Vector]:
    """The weights and the non-trainable weights that a client received."""
    if turn.model == state.round:
        return state.weights, state.statistics
    kept = state.underway["models"][str(turn.model)]
    return kept["weights"], kept["statistics"]


def _flights(underway: Tree) -> list[Flight]:
    if not underway:
        return []
    columns = (underway[name].tolist() for name in Flight._fields)
    return [Flight(*row) for row in zip(*columns, strict=True)]


def _underway(flights: list[Flight], state: RoundState) -> Tree:
    flights = sorted(flights)
    times, numbers = (np.float64, np.int64, np.int64, np.float64), Flight._fields
    columns = {
        name: np.array([flight[i] for flight in flights], dtype)
        for i, (name, dtype) in enumerate(zip(numbers, times, strict=True))
    }
    older = state.underway.get("models", {})
    now = {"weights": state.weights, "statistics": state.statistics}
    needed = sorted({flight.model for flight in flights})
    models = {str(model): now if model == state.round else older[str(model)] for model in needed}
    return {**columns, "models": models}
