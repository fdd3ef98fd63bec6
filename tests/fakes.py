"""Second implementations of the engine's parts, in NumPy and in memory: small enough to be seen to be right."""

import json
from dataclasses import replace
from functools import partial

import numpy as np

from fedcli.components.clients.runtime.batches import BatchPlan
from fedcli.components.clients.runtime.task import TrainingTask
from fedcli.components.cohorts import full
from fedcli.components.devices import lognormal
from fedcli.components.encryption.encrypt import begun
from fedcli.components.encryption.scheme import Encryption
from fedcli.components.models.network import Vectors
from fedcli.components.transforms import arrival
from fedcli.core.errors import VoidRoundError
from fedcli.core.exchange import Collusion
from fedcli.core.privacy_events import GaussianEvent
from fedcli.core.rounds import ClientData, ClientUpdate, ModelLayout
from fedcli.core.vectors import Layout
from fedcli.engine.client_side import Clients, ClientSide
from fedcli.engine.setup import (
    Assembly,
    EvaluationSettings,
    Participation,
    Protocol,
    RunPlan,
    Setup,
    Training,
    World,
)
from fedcli.experiment.assemble import initial_state
from fedcli.privacy import Accountant
from fedcli.testing.changes import changed

SIZE = 3
"""Weights of the linear model."""


class LinearFederation:
    """Clients with a few exact points of y = x . (1, -2, 3), each client in a corner of its own."""

    task = "regression"
    num_outputs = 1
    input_shape = (SIZE,)

    def __init__(self, num_clients=5, examples=4):
        self.num_clients = num_clients
        self.num_train = np.full(num_clients, examples) + np.arange(num_clients)
        self.num_validation = np.full(num_clients, 2)
        self.asked = []

    def client(self, client):
        self.asked.append(client)
        n = int(self.num_train[client])
        x, y = self._points(client, n + 2)
        return ClientData(x[:n], y[:n], x[n:], y[n:])

    @property
    def test(self):
        return self._points(10**6, 8)

    def _points(self, seed, n):
        x = np.random.default_rng(seed).normal(size=(n, SIZE)).astype(np.float32)
        return x, x @ np.array([1, -2, 3], np.float32)


class LinearRuntime:
    """One step of gradient descent on a client's mean squared error, or the literal update it was given.

    Args:
        payloads: `client -> update` that replaces training, NaN and wrong shapes included; or a number c for
            the update that has c in every coordinate.
        statistics: non-trainable weights that every client sends, shape [Q].
        state: state that every client keeps: `(round, client, old state) -> state`.
    """

    compiler = "NumPy"

    def __init__(self, federation, *, payloads=None, by_examples=False, statistics=None, state=None):
        self.federation, self.payloads, self.by_examples = federation, payloads or {}, by_examples
        self.statistics = statistics or (lambda start, _client: start.statistics[:0])
        self.state = state or (lambda _round, _client, _old: {})
        self.starts = []

    def prepare(self, broadcast):
        self.starts.append(broadcast)
        return broadcast

    def personal(self, broadcast, state):
        return replace(broadcast, statistics=state.get("statistics", broadcast.statistics))

    def train(self, start, assignment):
        client = assignment.client
        data = self.federation.client(client)
        error = self._error(start, data.x_train, data.y_train)
        payload = -0.1 * start.learning_rate_scale * 2 * error @ data.x_train / len(error)
        if client in self.payloads:
            payload = np.asarray(self.payloads[client], np.float32)
            payload = np.full(SIZE, payload) if payload.ndim == 0 else payload
        return ClientUpdate(
            client=client,
            payload=np.asarray(payload, np.float32),
            weight=float(len(error)) if self.by_examples else 1.0,
            num_examples=len(error),
            statistics=self.statistics(start, client),
            state=self.state(start.round, client, assignment.state),
            metrics={"loss": float(np.mean(error**2))},
            bytes_up=4 * SIZE,
            seconds=0.5,
        )

    def measure(self, start, x, y):
        return {"loss": float(np.sum(self._error(start, x, y) ** 2))}

    def _error(self, start, x, y):
        # More weights than the model has play no part, so that tests can send long updates.
        return x.astype(np.float64) @ start.weights[:SIZE].astype(np.float64) - y


class SerialExecutor:
    """One client after the other, on the caller's thread."""

    num_workers = 1

    def run(self, work, items):
        return map(work.begin(), items)

    def close(self):
        pass


class MemoryStore:
    """A run directory in memory. `every` and what is durable follow the real one's contract."""

    def __init__(self, every=1):
        self.records, self.clients, self.charges, self.durable = [], [], [], []
        self._every, self.evidence = every, {}

    def is_charged(self, round):
        return any(charged >= round for charged in self.charges) and round not in self._committed()

    def charge(self, round):
        self.charges.append(round)

    def shelve(self, _round, _client, tree):
        return tree

    def deposit(self, round, files):
        self.evidence[round] = dict(files)

    def commit(self, state, record, clients):
        self.records.append(json.loads(json.dumps(record)))
        self.clients.extend(clients)
        if state.round % self._every == 0:
            self.checkpoint(state)

    def checkpoint(self, state):
        if not self.durable or self.durable[-1].round != state.round:
            self.durable.append(state)

    def _committed(self):
        return [record["round"] for record in self.records]


class LiteralSender:
    """Integers as they are, 8 bytes each."""

    def encrypt(self, values):
        return values.tobytes(), 0.0


class LiteralExchange:
    """A sum in the clear where an encrypted one is expected.

    Args:
        refuses: client -> why the server refuses what it sends.
        void: why the sum stays closed, or None.
        breaks_at: the client whose update cannot be added although it was not refused.
    """

    server = None

    def __init__(self, refuses=None, void=None, breaks_at=None):
        self.refuses, self.void, self.breaks_at, self.added = refuses or {}, void, breaks_at, {}

    def sender(self, _client):
        return LiteralSender()

    def check(self, client, _data):
        return self.refuses.get(client)

    def add(self, client, data):
        if client == self.breaks_at:
            raise VoidRoundError(f"client {client} cannot be added")
        self.added[client] = np.frombuffer(data, np.int64)

    def open(self):
        if self.void:
            raise VoidRoundError(self.void)
        return np.sum(list(self.added.values()), axis=0)

    def figures(self):
        return {"encryption/attempts": 1 - bool(self.void)}


class LiteralKeys:
    """Literal exchanges by round; those of the other rounds are sound."""

    def __init__(self, exchanges=None):
        self.exchanges, self.begun = exchanges or {}, []

    def begin(self, round, cohort, *, run, size):
        self.begun.append((round, cohort, run, size))
        return self.exchanges.setdefault(round, LiteralExchange())

    def kept(self):
        return {}


def literal_encryption(min_clients=2):
    """An encryption of 8 bytes a value that hides nothing."""
    return Encryption(
        "literal",
        figures={},
        coded_bytes=lambda size: 8 * size,
        min_clients=min_clients,
        sees=(),
        assumes="",
        collusion=lambda size: Collusion(0, size),
        keeps_keys=False,
        opened_by="server",
        start=lambda _kept: LiteralKeys(),
    )


def counting_accountant(per_release=1.0):
    """Epsilon is the number of releases times a constant."""
    return Accountant(
        "counting",
        "add-remove",
        lambda releases, _delta: releases * per_release,
        lambda n: GaussianEvent(n, 0),
    )


def under_keys(strategy, keys):
    """The strategy whose encryption has these keys, as `with_keys` gives it new ones."""
    transforms = [
        part._replace(begin=partial(begun, keys)) if part.start else part for part in strategy.transforms
    ]
    return strategy._replace(transforms=tuple(transforms))


def linear_parts(strategy, *, federation=None, runtime=None, num_statistics=0, keys=None, **changes):
    """An assembled linear regression, and the state before its first round; `changes` as in `changed`.

    Args:
        keys: of the strategy's encryption; without them the round has none.
    """
    federation = federation or LinearFederation()
    payload = strategy.transforms[-1].gives if strategy.transforms else "vector"
    strategy = strategy._replace(transforms=(*strategy.transforms, arrival(payload)))
    if keys is not None:
        strategy = under_keys(strategy, keys)
    layout = ModelLayout(
        Layout(("w",), ((SIZE,),)),
        Layout(("averages",), ((num_statistics,),)) if num_statistics else Layout((), ()),
        Layout((), ()),
    )
    runtime = runtime or LinearRuntime(federation, by_examples=strategy.weighting == "examples")
    task = TrainingTask("mean_squared_error", ())
    setup = Setup(
        None,
        World(federation, full(), Participation(), lognormal() if strategy.buffer else None),
        Training(None, task, lambda _round, _rounds: 1.0, BatchPlan(4, 1, None), num_statistics > 0),
        Protocol(strategy, counting_accountant() if strategy.privacy else None),
        RunPlan(7, 3, EvaluationSettings(1, False, 3, {"loss": False})),
    )
    parts = Assembly(setup, layout, Clients(ClientSide(runtime, federation, strategy)), SerialExecutor())
    zeros = Vectors(*(np.zeros(size, np.float32) for size in (SIZE, num_statistics, 0, 0)))
    parts = changed(parts, **changes)
    return parts, initial_state(strategy, zeros, parts.world.cohort.init(federation.num_train))
