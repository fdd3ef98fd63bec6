"""Audit of a private experiment: bounds epsilon from below by canaries, which are artificial clients.

A canary does not train. It sends a huge update along one coordinate, which no other canary uses. The audit therefore
tests everything after local training: clip, sampling, noise and divisor. The auditor sees the noised mean update of
every round, from which the models can be computed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, final

import numpy as np
import numpy.typing as npt

from fedcli.components.data import Federation
from fedcli.config import Config, Part
from fedcli.core.errors import ConfigError
from fedcli.core.roles import ClientRuntime
from fedcli.core.rounds import Assignment, Broadcast, ClientData, ClientUpdate, RoundState
from fedcli.core.types import Array, Tree, Vector
from fedcli.engine.client_work import Clients
from fedcli.engine.loop import run_experiment
from fedcli.engine.ports import Observer, in_memory
from fedcli.engine.records import Row
from fedcli.engine.setup import Assembly, Setup
from fedcli.experiment.assemble import assemble, with_strategy
from fedcli.experiment.make import located
from fedcli.experiment.plan import plan
from fedcli.privacy import Accountant
from fedcli.privacy.one_run_audit import Audit, audit

# Far above any clip norm; float32 holds its square.
_HUGE = 1e12
# Enough to disprove claims up to about 7.4, and still cheap.
_CANARIES = 5000


class AuditResult(NamedTuple):
    """The result of an audit.

    Args:
        audit: the lower bound on epsilon, and the guesses that it follows from.
        claim: epsilon of the rounds that were run, from the accountant.
        rounds: number of rounds.
        accountant: name of the accountant.
    """

    audit: Audit
    claim: float
    rounds: int
    accountant: str

    @property
    def is_disproved(self) -> bool | None:
        """Whether the claim is false, at the audit's confidence; None if there are too few canaries to decide."""
        return self.audit.disproves(self.claim)


def audit_experiment(
    source: Config,
    *,
    canaries: int | None = None,
    confidence: float = 0.95,
    seed: int | None = None,
    round_end: Callable[[Row], None] = lambda _record: None,
) -> AuditResult:
    """Run an experiment with canaries and bound its epsilon from below. Nothing is stored.

    Args:
        source: the experiment.
        canaries: number of canaries, each included with probability 1/2; by default 5,000, or the number of
            coordinates of an update if that is smaller.
        confidence: probability that the bound holds, in (0, 1).
        seed: seed of the inclusion and the coordinates; None for randomness of the operating system.
        round_end: called with the record of every round.

    Raises:
        ConfigError: if the experiment has no guarantee for clients, or there are more canaries than coordinates.

    Reference: Steinke et al. 2023, arXiv:2305.08846, with the canaries of one coordinate of Nasr et al. 2023,
    arXiv:2302.07956.
    """
    with located(source):
        # Encryption and proofs do not change what is released, and both are planned for the real clients only.
        # Canaries exist in this process only, so its threads must train the clients.
        bare = {"encryption": None, "proofs": None, "executor": Part("threads")}
        setup = plan(source.experiment.model_copy(update=bare))
        accountant = _auditable(setup)
        assembly, state = assemble(setup)
    try:
        size = assembly.strategy.trainer.payload_size(assembly.layout.trainable.size)
        canaries = min(_CANARIES, size) if canaries is None else canaries
        if not 16 <= canaries <= size:
            raise ConfigError(
                f"received {canaries} canaries; an audit needs at least 16 and at most {size}, the "
                "number of coordinates of an update.",
                hint=f"Use --canaries between 16 and {size}.",
            )
        # The bound holds only for coins that nothing else depends on, such as the seed of the experiment.
        rng = np.random.Generator(np.random.Philox(key=secrets.randbits(128) if seed is None else seed))
        places = rng.choice(size, canaries, replace=False)
        included = rng.integers(0, 2, canaries).astype(bool)
        scores, state = _scores(
            _joined(assembly, places[included]), state, places, Observer(round_end=round_end)
        )
    finally:
        assembly.executor.close()
    target = setup.protocol.strategy.privacy
    delta = target.delta if target else 0.0
    found = audit(scores, included, delta=delta, confidence=confidence)
    return AuditResult(found, accountant.epsilon(state.releases, delta), state.releases, accountant.name)


def _auditable(setup: Setup) -> Accountant:
    """The accountant of a run, if canaries can test its claim."""
    accountant = setup.protocol.accountant
    if accountant is None:
        raise ConfigError(
            f"the strategy {setup.protocol.strategy.name} has no privacy guarantee to audit.",
            key="strategy",
            hint="Use a private strategy, such as dp-clipped.",
        )
    # The bound of one-run auditing is for clients that are there or not, as the coins decide it.
    if accountant.unit != "client" or accountant.relation == "replace-one":
        raise ConfigError(
            "canaries are clients that are included or not; this run protects "
            f"{'an ' + accountant.unit if accountant.unit != 'client' else 'a client'} under the relation "
            f"{accountant.relation}.",
            key="strategy",
            hint="Audit a run that protects clients, with a Poisson or full cohort.",
        )
    return accountant


def _scores(
    assembly: Assembly, state: RoundState, places: npt.NDArray[np.int64], observer: Observer
) -> tuple[npt.NDArray[np.float64], RoundState]:
    """The sum of each canary's coordinate over all releases, and the state after them."""
    scores = np.zeros(len(places))
    move = assembly.strategy.server.apply

    def overheard(weights: Vector, mean: Array, server: Tree, share: float) -> tuple[Vector, Tree]:
        np.add(scores, np.asarray(mean, np.float64)[places], out=scores)
        return move(weights, mean, server, share)

    server = assembly.strategy.server._replace(apply=overheard)
    heard = with_strategy(assembly, assembly.strategy._replace(server=server))
    final_state, _ = run_experiment(heard, state, _Nowhere(), observer)
    return scores, final_state


def _joined(assembly: Assembly, places: npt.NDArray[np.int64]) -> Assembly:
    """The experiment with one canary for each coordinate, numbered after its clients."""
    federation = _WithCanaries(assembly.world.federation, len(places))
    size = assembly.strategy.trainer.payload_size(assembly.layout.trainable.size)
    side = assembly.clients.side
    runtime = _CanaryRuntime(side.runtime, assembly.num_clients, places, size)
    # The auditor looks at releases only, and evaluating a model can take as long as its round.
    settings = assembly.run.evaluation._replace(every=assembly.run.rounds, clients=False)
    setup = replace(
        assembly.setup,
        world=assembly.world._replace(federation=federation),
        run=assembly.run._replace(evaluation=settings),
    )
    return replace(
        assembly, setup=setup, clients=Clients(side._replace(runtime=runtime, federation=federation))
    )


@final
class _WithCanaries:
    """A federation with canaries after its clients; canaries have no data."""

    def __init__(self, federation: Federation, canaries: int) -> None:
        self.task, self.num_outputs = federation.task, federation.num_outputs
        self.input_shape, self.test = federation.input_shape, federation.test
        self.num_clients = federation.num_clients + canaries
        # One example each: a client without examples would send nothing.
        self.num_train = np.append(np.asarray(federation.num_train), np.ones(canaries, np.int64))
        self.num_validation = np.append(np.asarray(federation.num_validation), np.zeros(canaries, np.int64))
        self._federation = federation

    def client(self, client: int) -> ClientData:
        # Never asked for a canary, which trains on nothing.
        return self._federation.client(client)


@final
class _CanaryRuntime:
    """A runtime in which clients from `first` on send a huge update along one coordinate."""

    def __init__(
        self, runtime: ClientRuntime, first: int, places: npt.NDArray[np.int64], payload_size: int
    ) -> None:
        self._runtime, self._first, self._places, self._size = runtime, first, places, payload_size
        self.compiler = runtime.compiler

    def prepare(self, broadcast: Broadcast) -> Any:
        return self._runtime.prepare(broadcast)

    def personal(self, broadcast: Broadcast, state: Tree) -> Any:
        return self._runtime.personal(broadcast, state)

    def measure(self, start: Any, x: Array, y: Array) -> Mapping[str, float]:
        return self._runtime.measure(start, x, y)

    def train(self, start: Any, assignment: Assignment) -> ClientUpdate:
        if assignment.client < self._first:
            return self._runtime.train(start, assignment)
        payload = np.zeros(self._size, np.float32)
        payload[self._places[assignment.client - self._first]] = _HUGE
        nothing: Vector = np.zeros(0, np.float32)
        return ClientUpdate(assignment.client, payload, 1.0, 1, nothing, {}, {}, payload.nbytes, 0.0)


@final
class _Nowhere:
    """A store that keeps only the records."""

    def __init__(self) -> None:
        self.records: list[Row] = []

    def is_charged(self, round: int) -> bool:
        del round
        return False

    def charge(self, round: int) -> None:
        """Not needed: an audit is never resumed."""

    def shelve(self, round: int, client: int, tree: Tree) -> Tree:
        return in_memory(round, client, tree)

    def deposit(self, round: int, files: Mapping[str, bytes]) -> None:
        """Not needed: the rounds of an audit are never verified."""

    def commit(self, state: RoundState, record: Row, clients: Sequence[Row]) -> None:
        del state, clients
        self.records.append(record)

    def checkpoint(self, state: RoundState) -> None:
        """Not needed: an audit has no checkpoints."""
