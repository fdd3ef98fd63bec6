"""`check_server_optimizer` names each broken law."""

import numpy as np
import pytest

from fedcli.core.contracts import Extra, ServerOptimizer
from fedcli.testing import check_server_optimizer


def optimizer(apply, *, init=lambda _weights: {}, name="own", **broadcast):
    return ServerOptimizer(name, init, apply, **broadcast)


def along(weights, mean, state, _share):
    return (weights + mean).astype(np.float32), state


def against(weights, mean, state, _share):
    return (weights - mean).astype(np.float32), state


def decaying(weights, mean, state, _share):
    return (0.9 * weights + mean).astype(np.float32), state


def in_place(weights, mean, state, _share):
    weights += mean.astype(np.float32)
    return weights.copy(), state


def wide(weights, mean, state, _share):
    return (weights + mean).astype(np.float64 if mean.any() else np.float32), state


def counting(weights, mean, state, _share):
    fresh = isinstance(state["count"], int)
    return (weights + mean * (1 if fresh else 2)).astype(np.float32), {"count": 0}


BROKEN = {
    "a server optimizer has a name": optimizer(along, name=""),
    "a mean update of zero leaves the weights": optimizer(decaying),
    "goes along the mean update": optimizer(against),
    "leaves the weights, the mean and the state": optimizer(in_place),
    "the weights stay finite, float32": optimizer(wide),
    "what it broadcasts is as long as the weights": optimizer(
        along, broadcast=lambda _state: {"control": np.zeros(3, np.float32)}
    ),
    "without pickle, but log is an object": optimizer(along, init=lambda _weights: {"log": object()}),
    "gives the same bits in the next round": optimizer(counting, init=lambda _weights: {"count": 0}),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_law_is_named(said):
    with pytest.raises(AssertionError, match=said):
        check_server_optimizer(BROKEN[said])


def test_a_plain_step_keeps_the_laws():
    check_server_optimizer(optimizer(along))


def test_extra_values_of_a_trainer_follow_the_mean_delta():
    seen = []

    def apply(weights, mean, state, _share):
        seen.append(mean.size)
        return (weights + mean[: weights.size]).astype(np.float32), state

    check_server_optimizer(optimizer(apply), sends=[Extra("control"), Extra("length", size="scalar")])
    assert set(seen) == {4 + 4 + 1}
