"""One client's training for tests: the compiled program beside an eager loop that was written apart from it."""

import keras
import numpy as np
import tensorflow as tf
from networks import build_network

from fedcli.components.clients.optimizers import sgd as plain_sgd
from fedcli.components.clients.runtime.batches import BatchPlan, draw_batches
from fedcli.components.clients.runtime.keras_learner import keras_functions
from fedcli.components.clients.runtime.keras_runtime import KerasRuntime, LocalSettings
from fedcli.components.clients.runtime.program import Example, compile_programs
from fedcli.components.clients.runtime.task import task_for
from fedcli.components.clients.sgd import sgd
from fedcli.core.rounds import Assignment, Broadcast, ClientData
from fedcli.core.seeds import generator, seed

ROOT = 7


class Clients:
    """A federation of the arrays it is given; counts who is asked for."""

    def __init__(self, *pairs):
        self.pairs, self.asked = pairs, []

    def client(self, client):
        self.asked.append(client)
        x, y = self.pairs[client]
        return ClientData(x, y, x[:0], y[:0])


def classes(*sizes, features=4, outputs=3, seed=0):
    """A federation of clients of the given sizes with random examples."""
    rng = np.random.default_rng(seed)
    return Clients(
        *((rng.normal(size=(n, features)).astype(np.float32), rng.integers(0, outputs, n)) for n in sizes)
    )


class Local:
    """A compiled client program and its runtime."""

    def __init__(
        self, build, clients, *, trainer=None, optimizer=None, plan=None, kind="classification", **settings
    ):
        spec = trainer or sgd()
        event = spec.privacy
        self.network = build_network(
            build, root=ROOT, personal=spec.personal, dtype=settings.pop("dtype", "float32")
        )
        self.clients, self.kind = clients, kind
        self.plan = plan or BatchPlan(4, 2, None)
        if event is not None:
            self.plan = BatchPlan(4, None, event.steps, event.rate)
        task = task_for(kind, settings.pop("loss", None), settings.pop("metrics", None))
        functions = keras_functions(self.network, task, optimizer or plain_sgd(learning_rate=0.1))
        x, y = clients.pairs[0]
        self.programs = compile_programs(
            self.network,
            functions,
            spec,
            example=Example(x.shape[1:], y.shape[1:], str(y.dtype)),
            batch_size=self.plan.width,
        )
        defaults = {
            "root": ROOT,
            "plan": BatchPlan(self.plan.batch_size, 1, None) if spec.one_pass else self.plan,
            "weighting": "examples",
            "non_trainable": "federated",
            "metric_names": task.names,
            "num_seeds": len(self.network.seed_slots),
            "fixed_shapes": self.network.is_dense,
            "keeps": spec.keeps,
            "personal": self.network.vectors().personal,
            "personalise": spec.personalise,
            "draws_batches": event is not None,
            "noise": spec.noise,
            "reproducible_noise": True,
        }
        self.runtime = KerasRuntime(self.programs, clients, LocalSettings(**(defaults | settings)))
        self.weights, self.statistics, *_ = self.network.vectors()

    def prepare(self, *, round=1, weights=None, statistics=None, scale=1.0):
        return self.runtime.prepare(
            Broadcast(
                round,
                self.weights if weights is None else weights,
                self.statistics if statistics is None else statistics,
                scale,
            )
        )

    def train(self, client=0, *, state=None, **broadcast):
        return self.runtime.train(self.prepare(**broadcast), Assignment(client, state or {}))


def eager(build, clients, *, client=0, round=1, plan=None, optimizer=None, loss=None):
    """The same training as a plain loop with a gradient tape and Keras's own optimizer.

    Returns:
        The moved trainable weights minus the first ones, and the averages after training, both flat.
    """
    model = build_network(build, root=ROOT, trainable=None).model
    optimizer = optimizer or keras.optimizers.SGD(0.1)
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for variable in model.non_trainable_variables:
        if variable.path.endswith("seed_generator_state"):
            variable.assign([seed(ROOT, round, client, "dropout") % 2**31, 0])
    x, y = clients.pairs[client]
    before = flat(model.trainable_variables)
    for rows in draw_batches(
        len(x), plan or BatchPlan(4, 2, None), generator(ROOT, round, client, "batches")
    ):
        rows = rows[rows >= 0]
        with tf.GradientTape() as tape:
            objective = loss(y[rows], model(x[rows], training=True)) + sum(model.losses)
        optimizer.apply(tape.gradient(objective, model.trainable_variables), model.trainable_variables)
    averages = [v for v in model.non_trainable_variables if "float" in v.dtype]
    return flat(model.trainable_variables) - before, flat(averages)


def flat(variables):
    return np.concatenate([v.numpy().ravel() for v in variables]) if variables else np.zeros(0, np.float32)


def same(one, other):
    """Whether two updates have the same bits, times apart."""
    return (
        np.array_equal(one.payload, other.payload)
        and np.array_equal(one.statistics, other.statistics)
        and one.metrics == other.metrics
    )
