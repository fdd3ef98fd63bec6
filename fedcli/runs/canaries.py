"""Canaries: artificial clients of an audited run, each with coordinates, a coin and the place of one client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, final

import numpy as np
import numpy.typing as npt

from fedcli.components.attacks.attack import Adversary, Attack
from fedcli.components.cohorts import whose_turn
from fedcli.components.data import Federation
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.roles import ClientRuntime
from fedcli.core.rounds import Assignment, Broadcast, ClientData, ClientUpdate
from fedcli.core.transform import Transform
from fedcli.core.types import Array, Tree, Vector
from fedcli.engine.client_side import Clients
from fedcli.engine.setup import Assembly
from fedcli.privacy.guess_plan import CanaryTurns

# Far above any clip norm; float32 holds its square.
HUGE = 1e12
_ROUND = "round"
_MUCH_SMALLER = 10


class Canaries(NamedTuple):
    """The canaries of one run.

    Args:
        places: the coordinates of each, shape [k, m]: one, or one in each of several arrays that are clipped apart.
        coins: whether its coin is heads, shape [m].
        presence: its turns.
    """

    places: npt.NDArray[np.int64]
    coins: npt.NDArray[np.bool_]
    presence: CanaryTurns

    @property
    def signs(self) -> npt.NDArray[np.float64]:
        """What each canary sends, over the huge number: 1, and 0 (nothing) or -1 if its coin is tails."""
        return np.where(self.coins, 1.0, -1.0 if self.presence.is_replaced else 0.0)


def presence_of(
    assembly: Assembly, canaries: int, *, rng: np.random.Generator, is_replaced: bool
) -> CanaryTurns:
    """The turns of canaries, each of which takes the place of one of the run's clients.

    The run's own cohort draws them, out of a population of the size that the accountant knows. Canaries share a draw
    only where the clients' coins are independent; otherwise one canary would tell of another.
    """
    cohort, num_clients = assembly.world.cohort, assembly.num_clients
    sampling = cohort.sampling(num_clients)
    event = assembly.strategy.privacy_event
    # Noise of the clients protects from the server, who sees the cohort: a canary takes all its possible turns.
    always = event is not None and event.noise_on != "sum"
    together = num_clients if sampling.scheme in ("full", "poisson", "min-separation") else 1
    seats = np.arange(canaries) % num_clients
    turns = np.zeros((assembly.run.rounds, canaries), bool)
    attends = np.zeros_like(turns)
    for index in range(assembly.run.rounds):
        members = whose_turn(cohort, index + 1, num_clients=num_clients, root=assembly.run.seed)
        turns[index] = np.isin(seats, members)
        if always:
            continue
        for first in range(0, canaries, together):
            drawn = np.zeros(num_clients, bool)
            drawn[members[cohort.sample(rng, len(members), {})]] = True
            attends[index, first : first + together] = drawn[seats[first : first + together]]
    chance = sampling.size / num_clients if sampling.has_fixed_size else sampling.rate
    return CanaryTurns(turns if always else attends, turns, 1.0 if always else chance, is_replaced)


def coordinates(assembly: Assembly) -> list[npt.NDArray[np.int64]]:
    """The coordinates of an update among which canaries choose: a canary has one out of each of these arrays.

    If every array is clipped by itself, a canary is as large as a client only with a coordinate in each. Arrays that
    are much smaller than the largest have too few coordinates, and are left out.
    """
    event = assembly.strategy.privacy_event
    if event is None or event.noise_on != "sum" or event.clipping != "per-layer":
        return [np.arange(assembly.strategy.trainer.payload_size(assembly.layout.trainable.size))]
    sizes = np.array(assembly.layout.trainable.sizes)
    ends = np.cumsum(sizes)
    return [
        np.arange(end - size, end)
        for size, end in zip(sizes, ends, strict=True)
        if size >= sizes.max() / _MUCH_SMALLER
    ]


def joined(assembly: Assembly, canaries: Canaries) -> Assembly:
    """The experiment with canaries, numbered after its clients, which send zeros.

    An auditor may know what all other clients send, so zeros are as good as trained updates, and clearer.
    """
    federation = _WithCanaries(assembly.world.federation, assembly.strategy, len(canaries.coins))
    side = assembly.clients.side
    size = assembly.strategy.trainer.payload_size(assembly.layout.trainable.size)
    runtime = _CanaryRuntime(side.runtime, federation, canaries, payload_size=size)
    cohort = _with_canaries(assembly, canaries)
    # Evaluating a model can take as long as its round, and an auditor looks at releases only.
    settings = assembly.run.evaluation._replace(every=assembly.run.rounds, clients=False)
    setup = replace(
        assembly.setup,
        world=assembly.world._replace(federation=federation, cohort=cohort),
        run=assembly.run._replace(evaluation=settings),
    )
    clients = Clients(
        side._replace(runtime=runtime, federation=federation, adversary=_without_shares(assembly, canaries))
    )
    return replace(assembly, setup=setup, clients=clients)


def _with_canaries(assembly: Assembly, canaries: Canaries) -> Cohort:
    """The run's cohort of its own clients, and the canaries whose turn it is."""
    cohort, num_clients, seed = assembly.world.cohort, assembly.num_clients, assembly.run.seed
    attends, sends = canaries.presence.attends, canaries.signs != 0
    # From the expected number of coins, so that the divisor does not depend on the coins.
    share = 1.0 if canaries.presence.is_replaced else 0.5
    planned = cohort.expected_size(num_clients) + share * float(attends.sum(axis=1).mean())
    shares = _guaranteed_shares(assembly.strategy)

    def sample(rng: np.random.Generator, _population: int, state: Tree) -> npt.NDArray[np.int64]:
        index = int(state[_ROUND])
        members = whose_turn(cohort, index + 1, num_clients=num_clients, root=seed)
        own = members[cohort.sample(rng, len(members), {})]
        if shares is not None:
            # The clients send zeros, so it is of no account who they are, but for who brings a share of noise.
            own = np.arange(len(own))
        return np.concatenate([own, num_clients + np.flatnonzero(attends[index] & sends)])

    return Cohort(
        name=cohort.name,
        sample=sample,
        expected_size=lambda _population: planned,
        sampling=lambda _population: cohort.sampling(num_clients),
        init=lambda _examples: {_ROUND: np.int64(0)},
        observe=lambda _reports, state: {_ROUND: np.int64(int(state[_ROUND]) + 1)},
    )


def _guaranteed_shares(strategy: Strategy) -> int | None:
    """Number of shares of noise that the run promises; None if clients add none to a sum."""
    event = strategy.privacy_event
    if event is None or event.noise_on != "shares":
        return None
    return event.contributors - event.colluders


def _without_shares(assembly: Assembly, canaries: Canaries) -> Adversary | None:
    """Canaries, and clients beyond those whose noise is promised, encode without noise."""
    shares = _guaranteed_shares(assembly.strategy)
    if shares is None:
        return None

    def cheat(transforms: Sequence[Transform]) -> Sequence[Transform]:
        return [
            transform._replace(encode=lambda update, _state, _context: update)
            if transform.privacy is not None
            else transform
            for transform in transforms
        ]

    silent = range(shares, assembly.num_clients + len(canaries.coins))
    return Adversary(Attack("canaries", cheat=cheat), frozenset(silent))


@final
class _WithCanaries:
    """A federation with canaries after its clients; canaries have no data."""

    def __init__(self, federation: Federation, strategy: Strategy, canaries: int) -> None:
        self.task, self.num_outputs = federation.task, federation.num_outputs
        self.input_shape, self.test = federation.input_shape, federation.test
        self.num_clients = federation.num_clients + canaries
        grid = next((part.grid for part in strategy.transforms if part.grid is not None), None)
        # The noise is planned for a client that weighs the most, so a canary is one.
        examples = (grid and grid.max_examples) or 1
        self.num_train = np.append(np.asarray(federation.num_train), np.full(canaries, examples, np.int64))
        self.num_validation = np.append(np.asarray(federation.num_validation), np.zeros(canaries, np.int64))
        self._federation = federation

    def client(self, client: int) -> ClientData:
        # Never asked for a canary, which trains on nothing.
        return self._federation.client(client)


@final
class _CanaryRuntime:
    """A runtime in which canaries send a huge update along their coordinates, and the run's clients send zeros."""

    def __init__(
        self, runtime: ClientRuntime, federation: _WithCanaries, canaries: Canaries, *, payload_size: int
    ) -> None:
        self._runtime, self._examples, self._size = runtime, federation.num_train, payload_size
        self._first = federation.num_clients - len(canaries.coins)
        self._places, self._signs = canaries.places, canaries.signs
        self.compiler = runtime.compiler

    def prepare(self, broadcast: Broadcast) -> Any:
        # Nobody trains, so the model is not moved to the device.
        return broadcast

    def personal(self, broadcast: Broadcast, state: Tree) -> Any:
        return self._runtime.personal(broadcast, state)

    def measure(self, start: Any, x: Array, y: Array) -> Mapping[str, float]:
        return self._runtime.measure(self._runtime.prepare(start), x, y)

    def predict(self, start: Any, x: Array) -> Array:
        return self._runtime.predict(self._runtime.prepare(start), x)

    def train(self, start: Any, assignment: Assignment) -> ClientUpdate:
        del start
        payload = np.zeros(self._size, np.float32)
        canary = assignment.client - self._first
        if canary >= 0:
            payload[self._places[:, canary]] = HUGE * self._signs[canary]
        nothing: Vector = np.zeros(0, np.float32)
        examples = int(self._examples[assignment.client])
        return ClientUpdate(assignment.client, payload, 1.0, examples, nothing, {}, {}, payload.nbytes, 0.0)
