"""Server optimizers by their papers' formulas, two steps on literals, and where they meet FedAvg."""

import math
import tracemalloc

import numpy as np
import pytest

from fedcli.components.server_optimizers import (
    SERVER_OPTIMIZERS,
    adagrad,
    adam,
    feddyn,
    fednova,
    momentum,
    qfedavg,
    scaffold,
    sgd,
    yogi,
)
from fedcli.core.contracts import Extra
from fedcli.core.errors import ConfigError
from fedcli.testing import check_server_optimizer

SENDS = {
    "scaffold": (Extra("control"),),
    "fednova": (Extra("length", size="scalar"),),
    "qfedavg": (Extra("curvature", size="scalar"),),
}
"""What the trainer of a server optimizer sends behind its delta."""

START = np.array([1.0, -2.0], np.float32)
DELTAS = [np.array([0.5, -1.0]), np.array([-0.25, 2.0])]


def mean_of(optimizer, delta):
    """What the optimizer takes for a mean delta: behind it what its trainer sends besides."""
    behind = [
        np.zeros_like(delta) if x.size == "model" else np.ones(1) for x in SENDS.get(optimizer.name, ())
    ]
    return np.concatenate([delta, *behind])


def made(name):
    """A built-in server optimizer."""
    return SERVER_OPTIMIZERS[name](**({"alpha": 0.5} if name == "feddyn" else {}))


def steps(optimizer, deltas=DELTAS):
    """Weights and states after each delta."""
    weights, state = START, optimizer.init(START)
    course = []
    for delta in deltas:
        weights, state = optimizer.apply(weights, mean_of(optimizer, delta), state, 1.0)
        course.append((weights, state))
    return course


@pytest.mark.parametrize("name", SERVER_OPTIMIZERS)
def test_a_step_takes_the_memory_of_what_it_returns(name):
    optimizer, size = made(name), 2_000_000
    weights = np.ones(size, np.float32)
    mean, state = mean_of(optimizer, np.ones(size)), optimizer.init(weights)
    tracemalloc.start()
    try:
        optimizer.apply(weights, mean, state, 1.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    copies = peak / weights.nbytes
    # The new weights, the new state, and what is calculated of a thirtieth of the vectors in float64.
    assert copies < 1 + len(state) + 1, f"{copies:.1f} copies"


def weights_of(course):
    return [weights.tolist() for weights, _ in course]


def test_sgd_by_hand():
    assert weights_of(steps(sgd(learning_rate=0.5))) == [[1.25, -2.5], [1.125, -1.5]]


def test_momentum_by_hand():
    # v1 = d1, v2 = d1 / 2 + d2; each step is along the velocity.
    course = steps(momentum(learning_rate=0.5, beta=0.5))
    assert weights_of(course) == [[1.25, -2.5], [1.25, -1.75]]
    assert course[1][1]["velocity"].tolist() == [0.0, 1.5]


def test_adam_by_the_formulas_of_the_paper():
    rate, beta_1, beta_2, tau = 0.1, 0.9, 0.99, 1e-3
    course = steps(adam(learning_rate=rate, beta_1=beta_1, beta_2=beta_2, tau=tau))
    for i in range(2):
        w, m, v = float(START[i]), 0.0, tau**2
        for delta, (weights, state) in zip(DELTAS, course, strict=True):
            d = float(delta[i])
            m = beta_1 * m + (1 - beta_1) * d
            v = beta_2 * v + (1 - beta_2) * d * d
            w += rate * m / (math.sqrt(v) + tau)
            assert weights[i] == pytest.approx(w, rel=1e-6)
            assert state["m"][i] == pytest.approx(m, rel=1e-6)
            assert state["v"][i] == pytest.approx(v, rel=1e-6)


def test_adam_has_no_bias_correction():
    # With it, the first step would be the learning rate in full, by sign.
    (weights, _), *_ = steps(adam(learning_rate=1.0, beta_1=0.9, beta_2=0.99, tau=1e-12))
    assert (weights - START).tolist() == pytest.approx([1.0, -1.0], rel=1e-6)
    (weights, _), *_ = steps(adam(learning_rate=1.0, beta_1=0.5, beta_2=0.75, tau=1e-12))
    assert (weights - START).tolist() == pytest.approx([0.5 / 0.5, -0.5 / 0.5], rel=1e-6)
    (weights, _), *_ = steps(adam(learning_rate=1.0, beta_1=0.9, beta_2=0.75, tau=1e-12))
    assert (weights - START).tolist() == pytest.approx([0.1 / 0.5, -0.1 / 0.5], rel=1e-6)


def test_the_second_moment_of_adam_starts_at_tau_squared():
    state = adam(tau=0.5).init(START)
    assert (state["m"].tolist(), state["v"].tolist()) == ([0, 0], [0.25, 0.25])


def test_a_learning_rate_of_one_is_fedavg():
    weights, _ = sgd(learning_rate=1.0).apply(START, DELTAS[0], {}, 1.0)
    assert weights.tolist() == (START + DELTAS[0]).tolist()


def test_momentum_without_momentum_is_sgd_to_the_bit():
    deltas = list(np.random.default_rng(0).standard_normal((3, 2)))
    plain, ball = steps(sgd(learning_rate=0.3), deltas), steps(momentum(learning_rate=0.3, beta=0.0), deltas)
    assert [w.tobytes() for w, _ in plain] == [w.tobytes() for w, _ in ball]


def test_adam_without_memory_is_a_step_of_normalised_length():
    weights, _ = adam(learning_rate=0.5, beta_1=0.0, beta_2=0.0, tau=1.0).apply(
        START, DELTAS[0], adam(tau=1.0).init(START), 1.0
    )
    assert weights.tolist() == pytest.approx([1 + 0.5 * 0.5 / 1.5, -2 - 0.5 * 1 / 2], rel=1e-6)


@pytest.mark.parametrize("name", SERVER_OPTIMIZERS)
class TestEveryServerOptimizer:
    def test_it_has_its_name(self, name):
        assert made(name).name == name

    def test_it_keeps_the_public_laws(self, name):
        check_server_optimizer(made(name), sends=SENDS.get(name, ()))

    def test_states_stay_float32_and_as_long_as_the_model(self, name):
        for _, state in steps(made(name)):
            assert all(value.dtype == np.float32 and value.shape == (2,) for value in state.values())


@pytest.mark.parametrize(
    ("factory", "parameter", "values"),
    [
        (sgd, "learning_rate", [0, -1, math.nan]),
        (momentum, "learning_rate", [0, math.nan]),
        (momentum, "beta", [-0.1, 1, math.nan]),
        (adam, "learning_rate", [0, math.nan]),
        (adam, "beta_1", [-0.1, 1, math.nan]),
        (adam, "beta_2", [-0.1, 1, math.nan]),
        (adam, "tau", [0, -1, math.nan]),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(factory, parameter, values):
    for value in values:
        with pytest.raises(ConfigError, match="received") as caught:
            factory(**{parameter: value})
        assert caught.value.key == parameter


def test_adagrad_by_the_formulas_of_the_paper():
    (first, _), (second, _) = steps(adagrad(learning_rate=0.5, tau=1.0))[:2]
    v1 = 1 + DELTAS[0] ** 2
    w1 = START + 0.5 * DELTAS[0] / (np.sqrt(v1) + 1)
    w2 = w1 + 0.5 * DELTAS[1] / (np.sqrt(v1 + DELTAS[1] ** 2) + 1)
    assert first.tolist() == pytest.approx(w1.tolist(), rel=1e-6)
    assert second.tolist() == pytest.approx(w2.tolist(), rel=1e-6)


def test_yogi_by_the_formulas_of_the_paper():
    (first, state), *_ = steps(yogi(learning_rate=0.5, beta_1=0.9, beta_2=0.5, tau=1.0))
    square = DELTAS[0] ** 2
    v = 1 - 0.5 * square * np.sign(1 - square)
    assert state["v"].tolist() == pytest.approx(v.tolist())
    assert first.tolist() == pytest.approx(
        (START + 0.5 * 0.1 * DELTAS[0] / (np.sqrt(v) + 1)).tolist(), rel=1e-6
    )


def test_control_variates_move_by_the_share_that_took_part():
    optimizer = scaffold(learning_rate=0.5)
    weights, state = optimizer.apply(START, np.array([1.0, 2.0, 4.0, -8.0]), optimizer.init(START), 0.25)
    assert (weights - START).tolist() == [0.5, 1.0]
    assert state["control"].tolist() == [1.0, -2.0]
    assert optimizer.broadcast(state)["control"].tolist() == [1.0, -2.0]


def test_normalised_updates_go_as_far_as_the_clients_went_on_average():
    weights, _ = fednova().apply(START, np.array([0.5, -1.0, 3.0]), {}, 1.0)
    assert (weights - START).tolist() == [1.5, -3.0]


def test_the_dynamic_dual_adds_up_by_the_share_that_took_part():
    optimizer = feddyn(alpha=0.5)
    weights, state = optimizer.apply(START, np.array([1.0, -2.0]), optimizer.init(START), 0.25)
    assert state["dual"].tolist() == [-0.125, 0.25]
    assert (weights - START).tolist() == [1.25, -2.5]


def test_without_its_regulariser_the_dynamic_server_takes_the_mean():
    weights, _ = feddyn(alpha=0.0).apply(START, np.array([1.0, -2.0]), {}, 0.25)
    assert (weights - START).tolist() == [1.0, -2.0]


def test_the_fair_step_is_a_ratio_of_means():
    weights, _ = qfedavg().apply(START, np.array([1.0, -2.0, 4.0]), {}, 1.0)
    assert (weights - START).tolist() == [0.25, -0.5]


@pytest.mark.parametrize("name", SERVER_OPTIMIZERS)
def test_it_declares_what_it_takes_and_gives_and_whether_it_uses_the_share(name):
    optimizer = SERVER_OPTIMIZERS[name]()
    state = optimizer.init(START)
    assert optimizer.takes == tuple(extra.name for extra in SENDS.get(name, ()))
    assert optimizer.gives == tuple(optimizer.broadcast(state))
    # Behind the delta only ones: a change of zero would move no control variate, whatever the share.
    sizes = [DELTAS[0].size if extra.size == "model" else 1 for extra in SENDS.get(name, ())]
    mean = np.concatenate([DELTAS[0], np.ones(sum(sizes))])
    (one, kept), (other, also_kept) = (optimizer.apply(START, mean, state, share) for share in (0.25, 1.0))
    differ = one.tobytes() != other.tobytes() or any(
        kept[key].tobytes() != also_kept[key].tobytes() for key in kept
    )
    assert differ == optimizer.uses_share
