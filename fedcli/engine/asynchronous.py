"""Asynchronous rounds on a simulated clock: a round ends when the server's buffer of updates is full.

Nguyen et al. 2022, arXiv:2106.06639 (FedBuff). A fixed number of clients trains at any time. A client that finishes
sends its update, and the server draws an idle client in its place, which starts from the current model. When the
buffer is full, the server takes a step and the round ends. The other clients continue. Each model is kept as long as a
client trains from it whose update would not be too stale to use.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple, final

import numpy as np

from fedcli.core.contracts import Buffer
from fedcli.core.rounds import RoundState
from fedcli.core.seeds import SERVER, generator
from fedcli.core.types import Tree, Vector
from fedcli.engine.availability import is_dropped, seconds_needed
from fedcli.engine.setup import Assembly
from fedcli.engine.turns import Turn, Turnout


class Flight(NamedTuple):
    """A client that is training.

    Args:
        arrives: simulated second at which its update arrives.
        client: its number.
        model: number of the round after which it received the model.
        began: simulated second at which it received the model.
    """

    arrives: float
    client: int
    model: int
    began: float


def flush(assembly: Assembly, state: RoundState, round: int) -> Turnout:
    """The clients whose updates fill the buffer next, in the order of their arrival.

    A client starts at most once from one model and sends at most one update in a round; a second one waits for the
    next round. When the update of a lost client is due, or one arrives that is too stale, the server draws another
    client; neither counts towards the buffer. If no client is left to draw, the round ends with a buffer that is not
    full.
    """
    buffer = assembly.strategy.buffer
    if buffer is None:
        raise ValueError(f"{assembly.strategy.name} has no buffer")
    work = _Work(assembly, state, round)
    turns: list[Turn] = []
    now, arrived = state.seconds, 0
    while arrived < buffer.size:
        # Not after the last arrival: its replacement starts from the next model, in the next round.
        work.fill(now)
        flight = work.next_arrival()
        if flight is None:
            break
        # An update that waited since the last round arrived before this one began.
        now = max(now, flight.arrives)
        turn = _turn(assembly, buffer, flight, round)
        arrived += turn.absence is None
        turns.append(turn)
    return Turnout(turns, now - state.seconds, _underway(work.flights, state, buffer))


def _turn(assembly: Assembly, buffer: Buffer, flight: Flight, round: int) -> Turn:
    staleness, absence = round - 1 - flight.model, None
    # A client begins at most once from one model, so this draw belongs to one participation.
    if is_dropped(assembly, flight.model + 1, flight.client):
        absence = "dropped out"
    elif buffer.is_stale(staleness):
        absence = (
            f"stale: the model moved {staleness} times since, and max_staleness is {buffer.max_staleness}"
        )
    return Turn(
        flight.client,
        flight.model,
        seconds=flight.arrives - flight.began,
        absence=absence,
        staleness=staleness,
    )


@final
class _Work:
    """The clients that are training; mutable, while the arrivals of one round are simulated."""

    def __init__(self, assembly: Assembly, state: RoundState, round: int) -> None:
        self._assembly, self._round = assembly, round
        self._rng = generator(assembly.run.seed, round, SERVER, "dispatch")
        self._places = int(assembly.world.cohort.expected_size(assembly.num_clients))
        self._arriving = _flights(state.underway)
        heapq.heapify(self._arriving)
        self._waiting: list[Flight] = []
        # Clients that may not start: those that are training, and those that started in this round.
        self._barred = {flight.client for flight in self._arriving}
        self._begun: set[int] = set()
        self._handed_in: set[int] = set()

    @property
    def flights(self) -> list[Flight]:
        """The clients that are training."""
        return self._arriving + self._waiting

    def fill(self, now: float) -> None:
        """Draw clients uniformly from those that may start, until all places are taken, and start them."""
        population = self._assembly.num_clients
        # Counted and not listed: a list for each place would take the square of the clients at work.
        while len(self._arriving) + len(self._waiting) < self._places and len(self._barred) < population:
            client = int(self._rng.integers(population))
            # Drawing again is uniform over the others, without a list of a large population.
            while client in self._barred:
                client = int(self._rng.integers(population))
            self._barred.add(client)
            self._begun.add(client)
            arrives = now + seconds_needed(self._assembly, self._round, client)
            heapq.heappush(self._arriving, Flight(arrives, client, self._round - 1, now))

    def next_arrival(self) -> Flight | None:
        """The earliest update of a client that has sent none in this round; None if there is none."""
        while self._arriving:
            flight = heapq.heappop(self._arriving)
            if flight.client in self._handed_in:
                self._waiting.append(flight)
                continue
            self._handed_in.add(flight.client)
            # Who began in this round may not begin again: its delay is drawn by round and client, and would repeat.
            if flight.client not in self._begun:
                self._barred.discard(flight.client)
            return flight
        return None


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


def _underway(flights: list[Flight], state: RoundState, buffer: Buffer) -> Tree:
    # The order inside a heap depends on its history, which a resumed run does not share.
    flights = sorted(flights)
    times, numbers = (np.float64, np.int64, np.int64, np.float64), Flight._fields
    columns = {
        name: np.array([flight[i] for flight in flights], dtype)
        for i, (name, dtype) in enumerate(zip(numbers, times, strict=True))
    }
    older = state.underway.get("models", {})
    now = {"weights": state.weights, "statistics": state.statistics}
    # The soonest arrival is in the next round, after one more move than now.
    moves = {flight.model: state.round + 1 - flight.model for flight in flights}
    needed = sorted(model for model, staleness in moves.items() if not buffer.is_stale(staleness))
    models = {str(model): now if model == state.round else older[str(model)] for model in needed}
    return {**columns, "models": models}
