"""The nouns of a round, as frozen values: what goes from one stage to the next. Nobody mutates an argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from fedcli.core.concealment import concealed
from fedcli.core.sums import AddedUpdate
from fedcli.core.trees import to_table
from fedcli.core.types import SECRET, Array, Tree, Vector
from fedcli.core.vectors import Layout


@dataclass(frozen=True)
class Broadcast:
    """What the server sends to every client of a round.

    Args:
        round: the round, counted from 1.
        weights: the global trainable weights, shape [P].
        statistics: the global non-trainable weights (BatchNorm's moving averages), shape [Q].
        learning_rate_scale: the schedule's factor on the clients' learning rate in this round.
        extras: vectors of shape [P] that the server optimizer sends along, by name.
    """

    round: int
    weights: Vector
    statistics: Vector
    learning_rate_scale: float
    extras: Tree = field(default_factory=dict)


@dataclass(frozen=True)
class ClientUpdate:
    """What one client sends back.

    Args:
        client: its number.
        payload: its update after the transforms; before them the float32 delta, shape [P].
        weight: its weight in the aggregate: 1, or its number of training examples.
        num_examples: its number of training examples.
        statistics: its non-trainable weights after training, shape [Q] ([0] unless they are federated).
        state: its own state for its next participation, by the name of the part that keeps it.
        metrics: means over the examples it trained on.
        bytes_up: size of what it sends.
        seconds: its training time.
        attachments: what it sends beside its payload, by name, such as a proof.
        private: what its transforms tell each other on the client, by name; never sent.
        figures: columns of metrics.jsonl that its work adds to, such as the seconds of a proof; sums over a round.
        summed: if its worker has added its payload to a sum, what became of it; the payload is then empty.
        block: on the server, the number of its block of 16 clients, refused ones included.
    """

    client: int
    payload: Array
    weight: float
    num_examples: int
    statistics: Vector
    state: Tree
    metrics: Mapping[str, float]
    bytes_up: int
    seconds: float
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    private: Mapping[str, Any] = field(default_factory=dict, repr=False)
    figures: Mapping[str, float] = field(default_factory=dict)
    summed: AddedUpdate | None = None
    block: int | None = field(default=None, compare=False)


OUT_OF_TIME = "out of time: "
"""How the reason begins of a client that was ended from outside, which another machine may not do."""


@dataclass(frozen=True)
class Rejection:
    """A client whose update did not enter the aggregate.

    Args:
        client: its number.
        reason: why, as a sentence for the user.
        figures: of the work that it did.
        failed: whether its own code failed or did not end; otherwise its update was refused for what it is.
        diverged: whether its update had NaN or infinite values.
    """

    client: int
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)
    failed: bool = False
    diverged: bool = False


@dataclass(frozen=True)
class Absence:
    """A client whose update did not arrive in the simulation, and why."""

    client: int
    reason: str


Outcome: TypeAlias = ClientUpdate | Rejection | Absence


@dataclass(frozen=True)
class Report:
    """What the server learned about one client in a round.

    Args:
        client: its number.
        num_examples: its number of training examples; 0 if nothing of it was accepted.
        metrics: means over the examples it trained on, as it reported them; empty if nothing of it was accepted.
        reason: why nothing of it was accepted; None if its update was.
    """

    client: int
    num_examples: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None


class Accepted(NamedTuple):
    """What is kept of an accepted update that came with attachments."""

    client: int
    weight: float
    num_examples: int
    attachments: Mapping[str, bytes]


class Aggregate(NamedTuple):
    """The result of an aggregator: the mean update is `value / weight`.

    Args:
        value: the sum, or the result of a rule that is not a sum.
        weight: the divisor of `value`, except in private runs.
        accepted: the updates in it that came with attachments, in cohort order.
        evidence: files with which the round can be verified later, by name.
    """

    value: Array
    weight: float
    accepted: tuple[Accepted, ...] = ()
    evidence: Mapping[str, bytes] = {}


class Session(NamedTuple):
    """What a mechanism needs for one round: its server half, and what each client is told.

    Args:
        server: the server's half; never leaves the server's process.
        told: what each client is told, by client. It travels to wherever the client is trained, so it can be pickled.
        figures: () -> columns of metrics.jsonl that the server's half has counted so far.
    """

    server: Any
    told: Mapping[int, Any] = {}
    figures: Callable[[], Mapping[str, float]] = dict

    def __repr__(self) -> str:
        # What clients are told has their keys and seeds.
        return concealed(self, clients=len(self.told))


class Identities(Protocol):
    """The signing keys of all simulated clients, which in a deployment each client would make for itself."""

    def private_key(self, client: int) -> bytes:
        """A client's private key, 32 bytes, which only this client receives."""
        ...

    def public_key(self, client: int) -> bytes:
        """A client's public key, 32 bytes."""
        ...


@dataclass(frozen=True)
class RoundContext:
    """What a transform may know of the round besides its own state.

    Args:
        root: the experiment's seed.
        round: the round, counted from 1.
        reproducible_noise: draw noise from the seed and not from the operating system.
        planned_weight: the constant by which a private run divides its sums; None in other runs.
        layers: sizes of the model's arrays, in the order of the payload.
        run: names the run; random, and the same when it is resumed.
        model: SHA-256 of the global weights before the round (`vectors.digest`), in rounds that leave evidence.
        num_clients: size of the population.
        config_digest: SHA-256 of the run's config.yaml, to which proofs are bound; empty in runs of protocol 1.
        cohort: the clients that were drawn, ascending, the absent ones included.
        identities: on the server of a simulation, the clients' signing keys; None on clients and without signatures.
        sessions: on the server, the round's sessions by the name of the transform that began them; empty on clients.
        told: on a client, what it was told, by the name of the transform; empty on the server.
    """

    root: int
    round: int
    reproducible_noise: bool
    planned_weight: float | None = None
    layers: tuple[int, ...] = ()
    run: str = ""
    model: bytes = b""
    num_clients: int = 0
    config_digest: bytes = b""
    cohort: tuple[int, ...] = ()
    identities: Identities | None = field(default=None, compare=False, repr=False)
    sessions: Mapping[str, Session] = field(default_factory=dict, compare=False)
    told: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


class ModelLayout(NamedTuple):
    """Where a model's variables are in the vectors of a `RoundState`."""

    trainable: Layout
    statistics: Layout
    frozen: Layout
    personal: Layout = Layout((), ())


@dataclass(frozen=True)
class RoundState:
    """Everything that the next round depends on. It is the checkpoint.

    Args:
        round: the last finished round; 0 before the first.
        weights: global trainable weights, shape [P].
        statistics: global non-trainable weights that training moves, shape [Q].
        frozen: weights that no client trains or sends, shape [F].
        personal: where every client's personal weights start, shape [R].
        server: the server optimizer's state.
        aggregator: the aggregator's state.
        transforms: each transform's server state, by name.
        clients: each client's own state, by its number, for clients that have any. A run directory's are
            read from their files when they are used (`store.stored_tree.StoredTree`).
        releases: how many rounds the privacy ledger has been charged for.
        seconds: simulated seconds since the start of the run, where there is a simulated clock.
        underway: clients still at work between asynchronous rounds, and the models they began from.
        average: the moving average of the global trainable weights (`averages.add_model`), if the run keeps one.
            A round that leaves the model as it was, such as a void one, leaves the average too.
        cohort: the state of the cohort: what it remembers of earlier rounds.
    """

    round: int
    weights: Vector
    statistics: Vector
    frozen: Vector
    personal: Vector = field(default_factory=lambda: np.zeros(0, np.float32))
    server: Tree = field(default_factory=dict)
    aggregator: Tree = field(default_factory=dict)
    # With the key of secret noise, which must reach no log.
    transforms: Tree = field(default_factory=dict, repr=False)
    clients: Mapping[int, Tree] = field(default_factory=dict)
    releases: int = 0
    seconds: float = 0.0
    underway: Tree = field(default_factory=dict)
    average: Tree = field(default_factory=dict)
    cohort: Tree = field(default_factory=dict)

    def seal(self) -> None:
        """Make all arrays read-only: a large state is still written to the disk while the next round goes on."""
        trees = (self.server, self.aggregator, self.transforms, self.underway, self.average, self.cohort)
        vectors = (self.weights, self.statistics, self.frozen, self.personal)
        for array in (*vectors, *(leaf for tree in trees for leaf in to_table(tree).values())):
            array.flags.writeable = False

    def without_secrets(self) -> RoundState:
        """The state without the keys of noise, for everybody but the server."""
        shown = {
            name: {entry: value for entry, value in tree.items() if entry != SECRET}
            for name, tree in self.transforms.items()
        }
        return replace(self, transforms=shown)


@dataclass(frozen=True)
class Assignment:
    """One client's work in a round.

    Args:
        client: its number.
        state: what it kept from its last participation.
        steps: batches after which it stops; None for all that are planned.
    """

    client: int
    state: Tree
    steps: int | None = None


class ClientData(NamedTuple):
    """One client's own examples after its own preprocessing: float32 `x` [n, ...], `y` [n] or [n, T]."""

    x_train: Array
    y_train: Array
    x_validation: Array
    y_validation: Array
