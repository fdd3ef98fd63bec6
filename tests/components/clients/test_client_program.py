"""The compiled client program does what a plain loop does, for every client, with one trace and the same bits."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import keras
import numpy as np
import pytest
import user_parts
from keras import layers
from locally import ROOT, Clients, Local, classes, eager, same
from networks import build_network

from fedcli.components.clients import optimizers
from fedcli.components.clients.fedprox import fedprox
from fedcli.components.clients.full_gradient import full_gradient
from fedcli.components.clients.runtime.batches import BatchPlan
from fedcli.components.clients.runtime.keras_learner import check_output, keras_functions
from fedcli.components.clients.runtime.keras_runtime import KerasRuntime
from fedcli.components.clients.runtime.task import TrainingTask
from fedcli.components.clients.sgd import descend
from fedcli.components.models import MODELS
from fedcli.core.contracts import TrainerSpec
from fedcli.core.errors import ConfigError, InvalidUpdateError
from fedcli.core.rounds import Assignment

SIZES = (10, 4, 7, 1, 13)  # batches of 4: ragged ends of 2, 0, 3, 1 and 1
CLOSE = {"rtol": 2e-5, "atol": 2e-6}  # float32 sums in another order over a few steps


def mlp():
    return MODELS["mlp"](hidden=(5,)).build((4,), 3)


def busy():
    return user_parts.stack((4,), 3, batchnorm=True, dropout=0.3, l2=0.05)


def recurrent(kind):
    return lambda: user_parts.stack((5, 2), 3, recurrent=kind, dropout=0.2)


def series(*sizes):
    rng = np.random.default_rng(1)
    return Clients(*((rng.normal(size=(n, 5, 2)).astype(np.float32), rng.integers(0, 3, n)) for n in sizes))


@pytest.fixture(scope="module")
def dense():
    """Dense layers only: compiled by XLA, with padding."""
    return Local(mlp, classes(*SIZES))


@pytest.fixture(scope="module")
def stateful():
    """BatchNorm, Dropout and a weight penalty: a TensorFlow graph, without padding."""
    return Local(busy, classes(*SIZES))


@pytest.mark.parametrize("client", range(len(SIZES)))
def test_xla_with_padding_equals_the_plain_loop(dense, client):
    update = dense.train(client)
    assert dense.runtime.compiler == "XLA"
    np.testing.assert_allclose(update.payload, eager(mlp, dense.clients, client=client)[0], **CLOSE)


def test_the_shapes_of_the_largest_client_serve_all_with_the_same_bits(dense):
    shared = Local(mlp, classes(*SIZES), largest=max(SIZES))
    for client in range(len(SIZES)):
        assert same(shared.train(client), dense.train(client))
    # One program for each shape: of 13 examples, and of two epochs of four batches.
    assert {(tensors.x.shape[0]) for tensors in shared.runtime._cache.values()} == {16}


def test_mixed_precision_calculates_in_bfloat16_and_sends_float32(dense):
    mixed = Local(mlp, classes(*SIZES), dtype="mixed_bfloat16")
    assert {layer.compute_dtype for layer in mixed.network.model.layers if layer.weights} == {"bfloat16"}
    assert mixed.weights.tobytes() == dense.weights.tobytes()
    here, there = mixed.train(0), dense.train(0)
    assert here.payload.dtype == np.float32
    assert not np.array_equal(here.payload, there.payload)
    # Numbers of eight bits, in which a unit near 0 may be on the other side.
    assert np.linalg.norm(here.payload - there.payload) < 0.25 * np.linalg.norm(there.payload)
    assert here.metrics["loss"] == pytest.approx(there.metrics["loss"], rel=0.05)
    # The policy holds for one model.
    assert mlp().layers[-1].compute_dtype == "float32"


def two_steps(learner):
    """A trainer of somebody who writes Python's `if` on a tensor, and ends after two batches."""
    plain = descend(learner)

    def step(start, carry, batch):
        return plain.step(start, carry, batch) if carry.steps < 2 else carry

    return plain._replace(step=step)


def test_custom_code_may_have_conditions_on_tensors(dense):
    own = Local(mlp, classes(*SIZES), trainer=TrainerSpec("two_steps", two_steps))
    expected = dense.runtime.train(dense.prepare(), Assignment(0, {}, 2))
    assert own.train(0).payload.tobytes() == expected.payload.tobytes()


def penalised():
    """Activations of a batch, of which padding has no part: their penalty is a mean over the examples."""
    penalty = keras.regularizers.L2(0.5)
    return keras.Sequential([keras.Input((4,)), layers.Dense(3, activity_regularizer=penalty)])


def test_a_penalty_on_activations_is_that_of_the_examples_alone():
    clients = classes(3)
    np.testing.assert_allclose(
        Local(penalised, clients).train().payload, eager(penalised, clients)[0], **CLOSE
    )


@pytest.mark.parametrize("client", range(len(SIZES)))
def test_batchnorm_dropout_and_penalties_equal_the_plain_loop(stateful, client):
    update = stateful.train(client)
    delta, averages = eager(busy, stateful.clients, client=client)
    assert stateful.runtime.compiler == "TensorFlow graph"
    np.testing.assert_allclose(update.payload, delta, **CLOSE)
    np.testing.assert_allclose(update.statistics, averages, **CLOSE)


@pytest.mark.parametrize("kind", ["LSTM", pytest.param("GRU", marks=pytest.mark.slow)])
def test_recurrent_layers_equal_the_plain_loop(kind):
    local = Local(recurrent(kind), series(6, 3))
    for client in (0, 1):
        delta, _ = eager(recurrent(kind), local.clients, client=client)
        np.testing.assert_allclose(local.train(client).payload, delta, **CLOSE)
    assert local.runtime.num_traces == 1


def test_an_embedding_whose_gradient_is_sparse_equals_the_plain_loop():
    def build():
        return keras.Sequential(
            [keras.Input((5,)), layers.Embedding(6, 2), layers.Flatten(), layers.Dense(3)]
        )

    rng = np.random.default_rng(2)
    clients = Clients((rng.integers(0, 6, (7, 5)).astype(np.float32), rng.integers(0, 3, 7)))
    np.testing.assert_allclose(Local(build, clients).train().payload, eager(build, clients)[0], **CLOSE)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (optimizers.sgd(learning_rate=0.1, momentum=0.9), lambda: keras.optimizers.SGD(0.1, momentum=0.9)),
        (optimizers.adam(learning_rate=0.01), lambda: keras.optimizers.Adam(0.01)),
    ],
    ids=["momentum", "adam"],
)
def test_an_optimizers_state_lives_through_the_loop(mine, theirs):
    local = Local(busy, classes(10), optimizer=mine)
    delta, _ = eager(busy, local.clients, optimizer=theirs())
    np.testing.assert_allclose(local.train().payload, delta, rtol=2e-3, atol=2e-5)


def test_steps_instead_of_epochs():
    plan = BatchPlan(4, None, 5)
    local = Local(busy, classes(10), plan=plan)
    np.testing.assert_allclose(local.train().payload, eager(busy, local.clients, plan=plan)[0], **CLOSE)


def test_the_schedule_scales_the_learning_rate(dense):
    slow = eager(mlp, dense.clients, optimizer=keras.optimizers.SGD(0.05))[0]
    np.testing.assert_allclose(dense.train(scale=0.5).payload, slow, **CLOSE)
    assert not dense.train(scale=0.0).payload.any()


def test_one_trace_serves_ragged_clients_and_rounds(dense, stateful):
    for local in (dense, stateful):
        for client in range(len(SIZES)):
            local.train(client, round=client + 1)
        assert local.runtime.num_traces == 1


def test_a_client_that_does_a_part_of_its_work_needs_no_program_of_another_shape(dense):
    shapes = set()

    def recorded(inputs):
        shapes.add((inputs.x.shape[0], inputs.rows.shape[0]))
        return dense.programs.train(inputs)

    settings = dense.runtime._settings
    runtime = KerasRuntime(dense.programs._replace(train=recorded), dense.clients, settings)
    start = dense.prepare()
    for client in range(len(SIZES)):
        for steps in (1, 2, None):
            runtime.train(start, Assignment(client, {}, steps))
    # One for each padded number of examples: 16, 4, 8 and 1.
    assert shapes == {(16, 8), (4, 2), (8, 4), (1, 2)}


def test_the_same_bits_again_and_others_in_another_round_or_client(dense, stateful):
    for local in (dense, stateful):
        first = local.train(0)
        assert same(first, local.train(0))
        assert not same(first, local.train(0, round=2))
        assert not same(first, local.train(2))


class Training(NamedTuple):
    """Local training of assignments, as work."""

    train: object

    def begin(self):
        return self.train


def test_the_same_bits_from_one_thread_and_from_two(dense, stateful, executors):
    for local in (dense, stateful):
        start = local.prepare()
        assignments = [Assignment(client, {}) for client in range(len(SIZES))] * 3
        work = Training(partial(local.runtime.train, start))
        runs = [list(executors[workers].run(work, assignments)) for workers in (1, 2)]
        assert all(same(a, b) for a, b in zip(*runs, strict=True))


def test_dropout_is_drawn_anew_for_every_round_and_client():
    constant = Clients(*[(np.ones((4, 4), np.float32), np.zeros(4, np.int64))] * 2)
    local = Local(lambda: user_parts.stack((4,), 3, dropout=0.5), constant)
    payloads = [local.train(client, round=round).payload for client in (0, 1) for round in (1, 2)]
    assert len({payload.tobytes() for payload in payloads}) == 4


def test_what_stands_in_the_padding_changes_nothing(dense):
    start, client = dense.prepare(), 0
    expected = dense.runtime.train(start, Assignment(client, {}))
    tensors = dense.runtime._tensors(client)
    x = tensors.x.numpy()
    assert len(x) == 16
    x[SIZES[client] :] = 1e6
    dense.runtime._cache[client] = tensors._replace(x=dense_tensor(x))
    assert same(expected, dense.runtime.train(start, Assignment(client, {})))
    del dense.runtime._cache[client]


def dense_tensor(array):
    import tensorflow as tf

    return tf.constant(array)


def test_training_metrics_are_means_over_the_examples_trained_on():
    # A learning rate that moves nothing: every epoch sees the first weights.
    local = Local(mlp, classes(7), optimizer=optimizers.sgd(learning_rate=1e-30))
    x, y = local.clients.pairs[0]
    metrics = local.train().metrics
    sums = local.runtime.measure(local.prepare(), x, y)
    assert metrics == pytest.approx({name: value / 7 for name, value in sums.items()}, rel=1e-5)


def test_measuring_equals_keras(stateful):
    x, y = stateful.clients.pairs[0]
    logits = stateful.network.model(x, training=False).numpy()
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")(y, logits)
    sums = stateful.runtime.measure(stateful.prepare(), x, y)
    assert sums["loss"] == pytest.approx(float(entropy), rel=1e-5)
    assert sums["accuracy"] == np.sum(logits.argmax(1) == y)


def test_an_update_says_what_it_weighs_and_costs(dense, stateful):
    update = dense.train(0)
    assert (update.client, update.num_examples, update.weight) == (0, 10, 10.0)
    assert update.bytes_up == 4 * dense.weights.size
    assert stateful.train(1).bytes_up == 4 * (stateful.weights.size + stateful.statistics.size)
    uniform = Local(busy, classes(10), weighting="uniform")
    assert uniform.train().weight == 1.0


def test_local_statistics_are_kept_and_not_sent():
    local = Local(busy, classes(10), non_trainable="local")
    first = local.train()
    assert first.statistics.size == 0
    assert first.bytes_up == 4 * local.weights.size
    _, averages = eager(busy, local.clients)
    np.testing.assert_allclose(first.state["statistics"], averages, **CLOSE)
    second = local.train(state=first.state)
    from_broadcast = local.train(statistics=first.state["statistics"])
    assert np.array_equal(second.state["statistics"], from_broadcast.state["statistics"])
    assert not np.array_equal(second.state["statistics"], first.state["statistics"])


def test_frozen_statistics_are_neither_kept_nor_sent():
    update = Local(busy, classes(10), non_trainable="frozen").train()
    assert update.statistics.size == 0
    assert update.state == {}


def test_fedprox_without_strength_is_sgd_to_the_bit():
    plain, proximal = Local(busy, classes(10)), Local(busy, classes(10), trainer=fedprox(mu=0.0))
    assert same(plain.train(), proximal.train())


def test_fedprox_pulls_towards_the_global_weights():
    mu = 0.7
    local = Local(mlp, classes(6), trainer=fedprox(mu=mu))
    start = [tuple(v.numpy() for v in local.network.model.trainable_variables)]

    class Pulled(keras.optimizers.SGD):
        def apply(self, gradients, variables):
            pulled = [g + mu * (v - w) for g, v, w in zip(gradients, variables, start[0], strict=True)]
            super().apply(pulled, variables)

    np.testing.assert_allclose(
        local.train().payload, eager(mlp, local.clients, optimizer=Pulled(0.1))[0], **CLOSE
    )


def test_fedprox_refuses_a_negative_strength():
    with pytest.raises(ConfigError) as caught:
        fedprox(mu=-0.1)
    assert caught.value.key == "mu"


@pytest.mark.parametrize(
    "build",
    [
        mlp,
        pytest.param(
            lambda: user_parts.stack((4,), 3, l2=0.05, end="activation"), marks=pytest.mark.slow, id="decay"
        ),
    ],
)
def test_full_gradients_of_all_clients_are_the_gradient_of_all_data(build):
    clients = classes(*SIZES)
    local = Local(build, clients, trainer=full_gradient(), plan=BatchPlan(4, 5, None))
    updates = [local.train(client) for client in range(len(SIZES))]
    mean = np.average([u.payload for u in updates], axis=0, weights=[u.weight for u in updates])
    pooled = Clients(tuple(np.concatenate(part) for part in zip(*clients.pairs, strict=True)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=build is mlp)
    whole = BatchPlan(len(pooled.pairs[0][0]), 1, None)
    step, _ = eager(build, pooled, plan=whole, optimizer=keras.optimizers.SGD(1.0), loss=loss)
    np.testing.assert_allclose(mean, step, **CLOSE)


def test_full_gradients_do_not_depend_on_the_batch_size():
    one, other = (
        Local(mlp, classes(10), trainer=full_gradient(), plan=BatchPlan(size, 1, None)).train().payload
        for size in (4, 10)
    )
    np.testing.assert_allclose(one, other, **CLOSE)


@pytest.mark.parametrize("end", ["activation", "softmax", "nested"])
def test_a_model_that_ends_in_probabilities_is_not_taken_for_logits(end):
    local = Local(lambda: user_parts.stack((4,), 3, dropout=0.1, end=end), classes(6))
    x, y = local.clients.pairs[0]
    probabilities = local.network.model(x).numpy()
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    expected = -np.log(probabilities[np.arange(6), y]).sum()
    assert local.runtime.measure(local.prepare(), x, y)["loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("end", ["logits", "sigmoid"])
def test_binary_classification_learns(end):
    x = np.linspace(-1, 1, 12, dtype=np.float32)[:, None] * np.ones((1, 4), np.float32)
    clients = Clients((x, (x[:, 0] > 0).astype(np.int64)))
    local = Local(
        lambda: user_parts.stack((4,), 1, dropout=0.01, end=end),
        clients,
        plan=BatchPlan(4, 40, None),
        loss="binary_crossentropy",
    )
    before = local.runtime.measure(local.prepare(), *clients.pairs[0])
    update = local.train()
    after = local.runtime.measure(local.prepare(weights=local.weights + update.payload), *clients.pairs[0])
    assert after["accuracy"] == 12
    assert after["loss"] < before["loss"] / 2


@pytest.mark.parametrize("shape", [(9,), (9, 1), (9, 2)])
def test_regression_on_targets_with_and_without_an_axis(shape):
    rng = np.random.default_rng(3)
    clients = Clients((rng.normal(size=(9, 4)).astype(np.float32), rng.normal(size=shape).astype(np.float32)))
    outputs = 1 if len(shape) == 1 else shape[1]

    def build():
        return user_parts.stack((4,), outputs, batchnorm=True)

    local = Local(build, clients, kind="regression")
    flat = Clients((clients.pairs[0][0], clients.pairs[0][1].reshape(9, -1)))
    delta, _ = eager(build, flat, loss=keras.losses.MeanSquaredError())
    np.testing.assert_allclose(local.train().payload, delta, **CLOSE)


def test_a_client_without_examples_is_refused_and_not_divided_by():
    local = Local(busy, classes(4, 0))
    with pytest.raises(InvalidUpdateError, match="no training examples"):
        local.train(1)


def test_a_client_that_diverges_says_nan_and_harms_nobody():
    clients = classes(4, 4)
    clients.pairs[1][0][:] = 1e30
    local = Local(lambda: user_parts.stack((4,), 3, dropout=0.1), clients)
    expected = local.train(0)
    assert not np.isfinite(local.train(1).payload).all()
    assert same(expected, local.train(0))


def test_the_cache_holds_bytes_and_not_clients():
    clients = classes(8, 8, 8)
    bytes_each = 8 * (4 * 4 + 8)
    local = Local(busy, clients, cache_bytes=2 * bytes_each)
    for client in (0, 1, 0, 2, 0, 1):
        local.train(client)
    assert clients.asked == [0, 1, 2, 1]  # 2 drove out 1, the least recently used
    assert local.runtime._cache.currsize <= 2 * bytes_each


def test_a_client_larger_than_the_cache_is_trained_all_the_same():
    clients = classes(8)
    local = Local(busy, clients, cache_bytes=10)
    assert same(local.train(), Local(busy, clients).train())


def test_padding_counts_in_the_cache(dense):
    dense.train(0)
    assert dense.runtime._cache[0].num_bytes == 16 * (4 * 4 + 8)


@pytest.mark.parametrize(
    ("outputs", "loss", "num_outputs", "fits"),
    [
        (3, "sparse_categorical_crossentropy", 3, True),
        (2, "sparse_categorical_crossentropy", 3, False),
        (1, "binary_crossentropy", 2, True),
        (2, "binary_crossentropy", 2, False),
        (2, "mean_squared_error", 1, False),
    ],
)
def test_an_output_that_does_not_fit_is_refused(outputs, loss, num_outputs, fits):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(outputs)])
    if fits:
        check_output(model, TrainingTask(loss, ()), num_outputs=num_outputs)
        return
    with pytest.raises(ConfigError, match=r"the model returns values of shape \[") as caught:
        check_output(model, TrainingTask(loss, ()), num_outputs=num_outputs)
    assert caught.value.key == "name"


@pytest.mark.parametrize(
    "outputs",
    [
        lambda inputs: layers.Conv1D(3, 1)(layers.Reshape((4, 1))(inputs)),
        lambda inputs: [layers.Dense(3)(inputs), layers.Dense(3)(inputs)],
    ],
    ids=["sequence", "list"],
)
def test_an_output_that_is_no_vector_is_refused(outputs):
    inputs = keras.Input((4,))
    with pytest.raises(ConfigError, match=r"the model (returns|does not return)"):
        check_output(
            keras.Model(inputs, outputs(inputs)),
            TrainingTask("sparse_categorical_crossentropy", ()),
            num_outputs=3,
        )


def test_a_model_that_does_not_know_its_output_is_refused():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(3)

        def call(self, x):
            return self.head(x)

    model = Own()
    model(np.zeros((1, 4), np.float32))
    with pytest.raises(ConfigError, match="does not know its shape"):
        check_output(model, TrainingTask("sparse_categorical_crossentropy", ()), num_outputs=3)


def test_a_loss_that_does_not_fit_the_targets_is_refused():
    with pytest.raises(
        ConfigError, match=r"does not fit the targets or the model: it takes targets"
    ) as caught:
        Local(busy, classes(4), loss="categorical_crossentropy")
    assert caught.value.key == "loss"


def test_a_model_that_returns_a_mapping_is_refused():
    def build():
        inputs = keras.Input((4,))
        return keras.Model(inputs, {"a": layers.Dense(3)(inputs)})

    with pytest.raises(ConfigError, match="does not fit the targets or the model"):
        Local(build, classes(4))


def test_an_unknown_loss_is_refused_when_the_functions_are_made():
    network = build_network(mlp, root=ROOT, trainable=None)
    with pytest.raises(ConfigError, match="no loss named 'nothing'"):
        keras_functions(network, TrainingTask("nothing", ()), optimizers.sgd())


def test_frozen_weights_stay_where_they_are_and_are_read(stateful):
    network = build_network(mlp, root=ROOT, trainable="dense_1/*")
    assert network.frozen.size == 25
    zeroed = replace(network)
    zeroed.load_frozen(np.zeros(25, np.float32))
    logits = zeroed.model(np.ones((1, 4), np.float32)).numpy()
    assert np.array_equal(logits, [network.vectors()[0][-3:]])
