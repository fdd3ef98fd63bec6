"""The check on arrival: shape and finiteness, and nothing that is fine is turned away."""

import math
from dataclasses import replace

import numpy as np
import pytest
import tiny

from fedcli.components.transforms import arrival
from fedcli.core.rounds import ClientUpdate, RoundContext

CONTEXT = RoundContext(root=7, round=1, reproducible_noise=True)


def refusal(payload, statistics=(), size=3):
    part = arrival()
    payload, statistics = np.asarray(payload, np.float32), np.asarray(statistics, np.float32)
    update = ClientUpdate(0, payload, 1.0, 1, statistics, {}, {}, payload.nbytes, 0.0)
    return part.admit(update, part.init(size), CONTEXT)


@pytest.mark.parametrize("payload", [[1, 2, 3], [0, 0, 0], [-0.0, 1e-45, 3.4e38]])
def test_what_fits_and_is_finite_is_admitted(payload):
    assert refusal(payload) is None


@pytest.mark.parametrize(
    ("payload", "shape"), [([1, 2], "[2]"), ([1, 2, 3, 4], "[4]"), ([[1, 2, 3]], "[1, 3]"), (5, "[]")]
)
def test_another_shape_is_named_and_refused(payload, shape):
    assert refusal(payload) == f"the update has shape {shape}; the model has [3]"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_nan_and_infinity_are_refused_wherever_they_stand(bad, place):
    payload = np.zeros(3)
    payload[place] = bad
    assert refusal(payload) == "the update has NaN or infinite values"


def test_infinities_that_cancel_are_refused():
    assert refusal([math.inf, -math.inf, 0]) == "the update has NaN or infinite values"


def test_finite_values_whose_sum_overflows_float32_are_admitted():
    assert refusal([3e38, 3e38, 3e38]) is None
    assert refusal([-3e38, -3e38, 1]) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_bad_statistics_are_refused_and_called_by_name(bad):
    assert (
        refusal([1, 2, 3], statistics=[0.0, bad]) == "the non-trainable weights have NaN or infinite values"
    )
    assert refusal([1, 2, 3], statistics=[0.0, 3e38]) is None


def test_a_model_without_parameters_takes_empty_updates():
    assert refusal([], size=0) is None


@pytest.mark.parametrize(
    ("weighting", "weight", "admitted"),
    [
        ("uniform", 1.0, True),
        ("uniform", 0.5, True),
        ("uniform", 1e9, False),
        ("uniform", -1.0, False),
        ("uniform", math.nan, False),
        ("examples", 4.0, True),
        ("examples", 4.1, False),
        (None, 1e9, True),
    ],
)
def test_a_weight_beyond_the_clients_own_is_refused(weighting, weight, admitted):
    part, payload = arrival(weighting=weighting), np.zeros(3, np.float32)
    update = ClientUpdate(0, payload, weight, 4, payload[:0], {}, {}, payload.nbytes, 0.0)
    reason = part.admit(update, part.init(3), CONTEXT)
    assert (reason is None) == admitted
    assert admitted or f"weight {weight:.6g}" in reason


def test_statistics_that_no_noise_covers_are_refused():
    part, payload = arrival(takes_statistics=False), np.zeros(3, np.float32)
    update = ClientUpdate(0, payload, 1.0, 4, payload[:2], {}, {}, payload.nbytes, 0.0)
    assert "2 non-trainable weights" in part.admit(update, part.init(3), CONTEXT)


@pytest.mark.parametrize("weight", [1e9, 0.0])
def test_a_private_run_on_floats_checks_weights_and_statistics(weight):
    check = tiny.plan(*tiny.PRIVATE).protocol.strategy.transforms[-1]
    payload = np.zeros(3, np.float32)
    update = ClientUpdate(0, payload, weight, 4, payload[:0], {}, {}, payload.nbytes, 0.0)
    assert "weight" in check.admit(update, check.init(3), CONTEXT)
    assert "not noised" in check.admit(
        replace(update, weight=1.0, statistics=payload), check.init(3), CONTEXT
    )
