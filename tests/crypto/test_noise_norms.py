"""Bound on the norm of noise: it holds with the stated probability, and is close to the smallest possible bound."""

import pytest
from scipy import stats

from fedcli.crypto.noise_norms import EXCESS_PROBABILITY, squared_norm_bound


@pytest.mark.parametrize("size", [1, 3, 50, 44_426, 1_700_000])
def test_a_gaussian_vector_is_longer_with_less_than_the_stated_probability(size):
    bound = squared_norm_bound(1000.0, size) / 1000.0**2
    assert stats.chi2.sf(bound, size) <= EXCESS_PROBABILITY
    assert bound < 1.6 * stats.chi2.isf(EXCESS_PROBABILITY, size)


def test_rounding_adds_half_a_step_in_every_coordinate_at_most():
    plain, rounded = (squared_norm_bound(100.0, 10_000, rounded=rounded) for rounded in (False, True))
    assert rounded**0.5 - plain**0.5 == pytest.approx(50.0, abs=1e-3)
    assert squared_norm_bound(0.0, 100, rounded=True) in (25, 26)
    assert squared_norm_bound(0.0, 100) == 0
