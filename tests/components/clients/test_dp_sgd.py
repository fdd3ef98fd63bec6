"""DP-SGD inside a client: what one example can do is bounded, the noise has its law, and both are the named ones."""

import math

import locally
import numpy as np
import pytest
import tensorflow as tf
from keras import Input, Model, Sequential, layers
from scipy import stats

from fedcli.components.clients.dp_sgd import clipped_sum, dp_sgd
from fedcli.components.clients.runtime.batches import BatchPlan, draw_batches
from fedcli.components.clients.trainer import Batch, Learner, Pass
from fedcli.components.strategies import STRATEGIES
from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import ExampleEvent
from fedcli.core.sampling_scheme import PrivacyTarget, Sampling
from fedcli.core.seeds import generator
from fedcli.privacy import accountant_for

CLIENTS = locally.classes(10, 7)
QUIET = {"clip_norm": math.inf, "noise_multiplier": 0.0, "rate": 1.0, "steps": 3, "expected_batch_size": 10}


def network():
    return Sequential([Input((4,)), layers.Dense(5, activation="relu"), layers.Dense(3)])


def convolutions():
    kernel = {"activation": "relu", "padding": "same"}
    return Sequential(
        [
            Input((2, 2, 1)),
            layers.Conv2D(3, 2, **kernel),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3),
        ]
    )


def dropping():
    """Not compiled by XLA, which would meet a new shape in almost every drawn batch."""
    return Sequential([Input((4,)), layers.Dropout(0.5), layers.Dense(3, use_bias=False)])


def added():
    start = Input((4,))
    hidden = layers.Dense(4, activation="relu")(start)
    return Model(start, layers.Dense(3)(layers.Add()([hidden, layers.Dense(4)(hidden)])))


def local(build=network, clients=CLIENTS, **settings):
    return locally.Local(build, clients, trainer=dp_sgd(**(QUIET | settings)), weighting="uniform")


def update(client=0, **settings):
    return local(**settings).train(client)


def test_a_single_example_goes_through_layers_that_cannot_be_mapped_over_one():
    alone = locally.classes(1, 1)
    plain = locally.Local(added, alone, plan=BatchPlan(1, None, 1), weighting="uniform").train()
    ours = update(build=added, clients=alone, steps=1, expected_batch_size=1)
    np.testing.assert_allclose(ours.payload, plain.payload, rtol=2e-5, atol=1e-7)


def test_all_examples_without_clip_and_noise_are_full_batch_descent():
    plain = locally.Local(network, CLIENTS, plan=BatchPlan(10, None, 3), weighting="uniform").train()
    np.testing.assert_allclose(update().payload, plain.payload, rtol=2e-5, atol=1e-7)
    assert update().metrics["loss"] == pytest.approx(plain.metrics["loss"], rel=1e-5)


def test_a_step_is_the_sum_of_clipped_gradients_over_the_constant_divisor():
    clip_norm, rate, divisor = 0.3, 0.1, 4.0
    x, y = CLIENTS.pairs[1]
    model = locally.Local(network, CLIENTS).network.model
    total = 0.0
    for i in range(len(x)):
        with tf.GradientTape() as tape:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y[i : i + 1], model(x[i : i + 1]))
        gradient = locally.flat(tape.gradient(loss, model.trainable_variables))
        total = total + gradient * min(1.0, clip_norm / np.linalg.norm(gradient))
    sent = update(1, clip_norm=clip_norm, steps=1, expected_batch_size=divisor)
    np.testing.assert_allclose(sent.payload, -rate * total / divisor, rtol=1e-4, atol=1e-7)


def test_one_example_replaced_moves_a_step_by_at_most_two_clips_and_left_out_by_one():
    x, y = CLIENTS.pairs[0]
    other = x.copy()
    other[4] *= 1e6
    settings = {"clip_norm": 0.1, "steps": 1, "expected_batch_size": 1.0}
    pairs = (x, y), (other, y), (np.delete(x, 4, 0), np.delete(y, 4))
    made = local(clients=locally.Clients(*pairs), **settings)
    whole, replaced, fewer = (made.train(client).payload / 0.1 for client in range(3))
    assert 0 < np.linalg.norm(whole - replaced) <= 0.2 * (1 + 1e-5)
    assert 0 < np.linalg.norm(whole - fewer) <= 0.1 * (1 + 1e-5)


def stub(gradients):
    """A learner whose gradient of an example is the row of `gradients` that its features name."""
    table = tf.convert_to_tensor(gradients, tf.float32)

    def differentiate(_weights, moving, batch, also=None):
        return Pass([tf.gather(table, batch.x[0])], moving, tf.zeros([1]), tf.reduce_sum(batch.mask))

    return Learner(differentiate, None, 1, None, (False,))


class At:
    """As much of a carry as the sum looks at."""

    def __init__(self):
        self.weights, self.moving = [tf.zeros([2])], []


@pytest.mark.parametrize(
    ("gradients", "mask", "expected"),
    [
        ([[3.0, 4.0], [0.3, 0.4]], [1.0, 1.0], [0.9, 1.2]),
        ([[3.0, 4.0], [0.3, 0.4]], [0.0, 1.0], [0.3, 0.4]),
        ([[3.0, 4.0], [0.3, 0.4]], [0.0, 0.0], [0.0, 0.0]),
        ([[math.nan, 1.0], [0.3, 0.4]], [1.0, 1.0], [0.3, 0.4]),
        ([[math.inf, 1.0], [0.3, 0.4]], [1.0, 1.0], [0.3, 0.4]),
        ([[math.nan, 1.0], [0.3, 0.4]], [0.0, 1.0], [0.3, 0.4]),
        ([[1e30, 0.0], [0.0, 0.0]], [1.0, 1.0], [1.0, 0.0]),
    ],
)
def test_padding_nan_and_infinity_add_nothing_and_the_rest_is_clipped(gradients, mask, expected):
    batch = Batch(tf.constant([0, 1]), tf.constant([0, 0]), tf.constant(mask))
    total, _, count = clipped_sum(stub(gradients), At(), batch, clip_norm=1.0)
    assert total[0].numpy().tolist() == pytest.approx(expected, rel=1e-6)
    assert float(count) == sum(mask)


def test_no_clipped_gradient_is_longer_than_the_clip_after_rounding():
    @tf.function
    def clipped(row):
        batch = Batch(tf.constant([0]), tf.constant([0]), tf.ones([1]))
        return clipped_sum(stub([row]), At(), batch, clip_norm=0.01)[0][0]

    for row in np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32):
        assert np.linalg.norm(clipped(tf.constant(row)).numpy().astype(np.float64)) <= 0.01


def wide():
    return Sequential([Input((4,)), layers.Dense(4000), layers.Dense(3)])


@pytest.mark.slow
def test_the_noise_of_a_step_has_multiplier_times_clip_over_the_divisor():
    settings = {"clip_norm": 0.5, "rate": 0.3, "steps": 1, "expected_batch_size": 2.0}
    quiet = update(build=wide, **settings).payload
    noisy = local(build=wide, noise_multiplier=2.0, **settings)
    noise = (noisy.train().payload - quiet) / 0.1
    low, high = stats.chi2.ppf([1e-5, 1 - 1e-5], noise.size)
    assert low < np.square(noise / (2.0 * 0.5 / 2.0)).sum() < high
    # The layers' streams differ, and so do those of steps and rounds.
    assert abs(np.corrcoef(noise[:12000], noise[-12003:-3])[0, 1]) < 0.05
    again = (noisy.train(round=2).payload - quiet) / 0.1
    assert abs(np.corrcoef(noise, again)[0, 1]) < 0.05


@pytest.mark.slow
def test_the_noise_of_steps_is_independent_so_that_its_variance_adds_up():
    settings = {"clip_norm": 0.5, "rate": 1e-9, "expected_batch_size": 2.0, "noise_multiplier": 2.0}
    moved = update(build=wide, steps=4, **settings).payload / 0.1
    low, high = stats.chi2.ppf([1e-5, 1 - 1e-5], moved.size)
    assert low < np.square(moved / 0.5).sum() / 4 < high


def test_an_empty_batch_moves_along_its_noise_all_the_same():
    sent = update(rate=1e-9, noise_multiplier=1.0, clip_norm=1.0)
    assert np.all(sent.payload != 0)
    assert sent.metrics["loss"] == 0


def test_noise_and_batches_come_from_the_operating_system_unless_asked_otherwise():
    spec = dp_sgd(clip_norm=1.0, noise_multiplier=1.0, rate=0.5, steps=2, expected_batch_size=5)
    secret = locally.Local(dropping, CLIENTS, trainer=spec, reproducible_noise=False)
    assert not np.array_equal(secret.train().payload, secret.train().payload)
    shown = locally.Local(dropping, CLIENTS, trainer=spec)
    assert np.array_equal(shown.train().payload, shown.train().payload)
    coins = dp_sgd(clip_norm=1.0, noise_multiplier=0.0, rate=0.5, steps=2, expected_batch_size=5)
    drawn = locally.Local(dropping, CLIENTS, trainer=coins, reproducible_noise=False)
    assert len({drawn.train().payload.tobytes() for _ in range(5)}) > 1


def test_convolutions_and_dropout_train_too():
    rng = np.random.default_rng(0)
    images = locally.Clients((rng.normal(size=(9, 2, 2, 1)).astype(np.float32), rng.integers(0, 3, 9)))
    sent = update(build=convolutions, clients=images, clip_norm=1.0, noise_multiplier=0.1, rate=0.5)
    assert np.isfinite(sent.payload).all()
    assert sent.payload.any()


def test_every_example_has_a_dropout_mask_of_its_own():
    ones = locally.Clients((np.ones((64, 4), np.float32), np.zeros(64, np.int64)))
    sent = update(build=dropping, clients=ones, steps=1, expected_batch_size=64)
    # With one mask for all, a feature would be dropped from the whole batch or from no example.
    rows = np.abs(sent.payload.reshape(4, 3)).sum(axis=1)
    assert 0 < rows.min() < rows.max() < 2 * rows.min()


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_poisson_batches_hold_each_example_with_the_rate_and_at_most_once(rate):
    rows = draw_batches(50, BatchPlan(4, None, 400, rate), np.random.default_rng(0))
    counts = np.bincount(rows[rows >= 0], minlength=50)
    assert rows.shape[1] & (rows.shape[1] - 1) == 0
    assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in rows)
    low, high = stats.binom.ppf([1e-6, 1 - 1e-6], 400, rate)
    assert low <= counts.min() <= counts.max() <= high
    sizes = (rows >= 0).sum(axis=1)
    assert np.var(sizes) == pytest.approx(50 * rate * (1 - rate), rel=0.3, abs=1e-12)


def test_a_plan_with_a_rate_says_how_much_work_it_is():
    plan = BatchPlan(4, None, 10, 0.1)
    assert (plan.num_steps(50), plan.num_steps(0), plan.width) == (10, 0, None)
    assert (plan.examples_seen(50), plan.examples_seen(50, 3)) == (50, 15)
    assert 1 <= plan.part_of_steps(50, generator(0, 0, 0, "work")) <= 10


def test_the_unit_is_the_example_and_epsilon_composes_over_participations():
    strategy = STRATEGIES["dp-sgd"](
        **(QUIET | {"clip_norm": 1.0, "noise_multiplier": 2.0}), delta=1e-5, epsilon=3.0
    )
    assert strategy.privacy == PrivacyTarget(1e-5, 3.0)
    event = strategy.trainer.privacy
    assert event == ExampleEvent(2.0, 1.0, 1.0, 3)
    full = accountant_for(event, Sampling("full", 10, size=10))
    turns = accountant_for(event, Sampling("min-separation", 10, separation=4))
    assert full.unit == turns.unit == "example"
    assert turns.epsilon(8, 1e-5) == full.epsilon(2, 1e-5) < full.epsilon(3, 1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clip_norm", 0.0),
        ("clip_norm", math.inf),
        ("noise_multiplier", -1.0),
        ("rate", 0.0),
        ("rate", 1.5),
        ("steps", 0),
        ("expected_batch_size", 0.0),
        ("delta", 0.0),
        ("epsilon", -1.0),
    ],
)
def test_parameters_without_meaning_are_refused_by_name(name, value):
    settings = QUIET | {"clip_norm": 1.0, "noise_multiplier": 1.0, "delta": 1e-5, name: value}
    with pytest.raises(ConfigError, match="received") as caught:
        STRATEGIES["dp-sgd"](**settings)
    assert caught.value.key == name
