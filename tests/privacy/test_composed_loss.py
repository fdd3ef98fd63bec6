"""Epsilon of composed releases is that of dp-accounting, found by operations on arrays."""

import math

import pytest
from dp_accounting import NeighboringRelation
from dp_accounting.pld import privacy_loss_distribution as pld

from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy.central import _capped_on_grid
from fedcli.privacy.composed_loss import composed_epsilon
from fedcli.privacy.sampled_gaussian import sampled_gaussian


@pytest.mark.parametrize("count", [1, 37, 5000])
@pytest.mark.parametrize(
    ("multiplier", "rate", "step"), [(1.0, 0.1, 1e-2), (8.0, 0.5, 1e-3), (0.2, 0.01, 0.2), (3.0, 1e-3, 1e-4)]
)
def test_it_is_the_library_s(multiplier, rate, step, count):
    loss = sampled_gaussian(multiplier, rate, "add-remove", interval=step)
    composed = loss.self_compose(count) if count > 1 else loss
    for delta in (1e-9, 1e-5, 0.1):
        expected = composed.get_epsilon_for_delta(delta)
        assert composed_epsilon(loss, count, delta) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_delta_that_all_noise_exceeds_needs_no_epsilon_and_one_below_the_tails_has_none():
    loss = sampled_gaussian(5.0, 0.5, "add-remove", interval=1e-2)
    assert composed_epsilon(loss, 3, 0.99) == 0.0
    assert composed_epsilon(loss, 3, 1e-300) == math.inf


@pytest.mark.parametrize("relation", ["add-remove", "replace-one"])
@pytest.mark.parametrize("cap", [2, 12])
def test_a_cap_has_the_loss_of_the_library(relation, cap):
    expected = pld.from_truncated_subsampled_gaussian_mechanism(
        30,
        0.3,
        cap,
        2.0,
        value_discretization_interval=1e-2,
        neighboring_relation=NeighboringRelation[
            {"add-remove": "ADD_OR_REMOVE_ONE", "replace-one": "REPLACE_ONE"}[relation]
        ],
    )
    made = _capped_on_grid(Sampling("capped-poisson", 30, rate=0.3, cap=cap), 2.0, relation, 1e-2)
    for delta in (1e-8, 1e-3):
        assert composed_epsilon(made, 1, delta) == pytest.approx(
            expected.get_epsilon_for_delta(delta), rel=1e-6
        )
