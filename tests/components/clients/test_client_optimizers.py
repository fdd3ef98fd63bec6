"""The clients' optimizers are Keras's own, step by step, or the papers' formulas where Keras differs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fedcli.components.clients.optimizers import OPTIMIZERS, adam, adamw, clipped, sgd
from fedcli.core.errors import ConfigError

START = [np.array([1.0, -2.0], np.float32), np.array([[0.5]], np.float32)]
GRADIENTS = [
    [np.array([0.1, -0.3], np.float32), np.array([[2.0]], np.float32)],
    [np.array([0.5, 0.0], np.float32), np.array([[-1.0]], np.float32)],
    [np.array([-0.2, 0.7], np.float32), np.array([[0.25]], np.float32)],
    [np.array([0.05, 0.05], np.float32), np.array([[3.0]], np.float32)],
]


def ours(optimizer, gradients=GRADIENTS, scales=None):
    weights = [tf.constant(w) for w in START]
    state = optimizer.init(weights)
    for gradient, scale in zip(gradients, scales or [1.0] * len(gradients), strict=True):
        structure = tf.nest.map_structure(tf.shape, state)
        weights, state = optimizer.update(
            [tf.constant(g) for g in gradient], weights, state, tf.constant(scale)
        )
        tf.nest.assert_same_structure(structure, state)
    return [w.numpy() for w in weights]


def theirs(optimizer, gradients=GRADIENTS):
    variables = [keras.Variable(w) for w in START]
    for gradient in gradients:
        optimizer.apply([tf.constant(g) for g in gradient], variables)
    return [v.numpy() for v in variables]


def assert_close(one, other, tolerance=1e-6):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("mine", "keras_own"),
    [
        (sgd(learning_rate=0.1), lambda: keras.optimizers.SGD(0.1)),
        (sgd(learning_rate=0.1, momentum=0.9), lambda: keras.optimizers.SGD(0.1, momentum=0.9)),
        (
            sgd(learning_rate=0.1, momentum=0.5, nesterov=True),
            lambda: keras.optimizers.SGD(0.1, momentum=0.5, nesterov=True),
        ),
        # Keras divides by another root: sqrt(v) + epsilon sqrt(1 - beta_2^t); with a tiny epsilon they are one.
        (adam(learning_rate=0.1, epsilon=1e-12), lambda: keras.optimizers.Adam(0.1, epsilon=1e-12)),
        (
            adam(learning_rate=0.1, beta_1=0.5, beta_2=0.6, epsilon=1e-12),
            lambda: keras.optimizers.Adam(0.1, beta_1=0.5, beta_2=0.6, epsilon=1e-12),
        ),
        (
            adamw(learning_rate=0.1, weight_decay=0.2, epsilon=1e-12),
            lambda: keras.optimizers.AdamW(0.1, weight_decay=0.2, epsilon=1e-12),
        ),
        (clipped(sgd(learning_rate=0.1), 0.5), lambda: keras.optimizers.SGD(0.1, global_clipnorm=0.5)),
        (
            clipped(sgd(learning_rate=0.1, momentum=0.9), 0.5),
            lambda: keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.5),
        ),
    ],
    ids=["sgd", "momentum", "nesterov", "adam", "adam-betas", "adamw", "clipped", "clipped-momentum"],
)
def test_four_steps_are_those_of_keras(mine, keras_own):
    # The running powers of adam's decays are float32, as Keras's are not: hence not tighter.
    assert_close(ours(mine), theirs(keras_own()), 2e-5)


def test_adam_is_the_papers_algorithm_with_its_epsilon():
    rate, b1, b2, epsilon = 0.1, 0.9, 0.999, 0.3
    w, m, v = START[0].astype(np.float64), 0.0, 0.0
    for t, (g, _) in enumerate(GRADIENTS, start=1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        w = w - rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + epsilon)
    assert_close([ours(adam(learning_rate=rate, epsilon=epsilon))[0]], [w], 1e-5)


def test_weight_decay_of_sgd_is_part_of_the_gradient():
    w = START[0].astype(np.float64)
    velocity = 0.0
    for g, _ in GRADIENTS:
        velocity = 0.9 * velocity + g + 0.5 * w
        w = w - 0.1 * velocity
    assert_close([ours(sgd(learning_rate=0.1, momentum=0.9, weight_decay=0.5))[0]], [w])


def test_no_weight_decay_is_adam_to_the_bit():
    assert_close(ours(adam(learning_rate=0.1)), ours(adamw(learning_rate=0.1, weight_decay=0.0)), 0)


@pytest.mark.parametrize("make", [sgd, adam, adamw])
def test_the_schedule_scales_every_step(make):
    assert_close(ours(make(learning_rate=0.1), scales=[0.5] * 4), ours(make(learning_rate=0.05)))
    assert_close(ours(make(learning_rate=0.1), scales=[0.0] * 4), START, 0)


def test_a_gradient_within_the_norm_is_not_clipped():
    assert_close(ours(clipped(sgd(), 100.0)), ours(sgd()), 0)


def test_a_zero_gradient_survives_clipping():
    zeros = [[np.zeros_like(w) for w in START]]
    assert_close(ours(clipped(sgd(), 0.5), zeros), START, 0)


@pytest.mark.parametrize(
    ("make", "parameters", "key"),
    [
        (sgd, {"learning_rate": 0.0}, "learning_rate"),
        (sgd, {"learning_rate": float("nan")}, "learning_rate"),
        (sgd, {"momentum": 1.0}, "momentum"),
        (sgd, {"nesterov": True}, "nesterov"),
        (sgd, {"weight_decay": -1.0}, "weight_decay"),
        (adam, {"beta_1": 1.0}, "beta_1"),
        (adam, {"beta_2": -0.1}, "beta_2"),
        (adam, {"epsilon": 0.0}, "epsilon"),
        (adamw, {"weight_decay": float("nan")}, "weight_decay"),
    ],
)
def test_parameters_without_meaning_are_refused(make, parameters, key):
    with pytest.raises(ConfigError) as caught:
        make(**parameters)
    assert caught.value.key == key


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_registered_optimizer_moves_against_the_gradient_and_leaves_its_arguments(name):
    weights = [tf.constant(w) for w in START]
    moved, _ = OPTIMIZERS[name]().update(
        [tf.constant(g) for g in GRADIENTS[0]], weights, OPTIMIZERS[name]().init(weights), 1.0
    )
    assert np.all(np.sign(START[0] - moved[0].numpy()) == np.sign(GRADIENTS[0][0]))
    assert np.array_equal(weights[0].numpy(), START[0])
