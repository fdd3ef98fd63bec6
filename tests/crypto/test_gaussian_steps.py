"""Noise in whole steps: its law at every width, its grid, and a tail that is not cut off."""

import math

import numpy as np
import pytest
from scipy import stats

from fedcli.core.errors import ConfigError
from fedcli.crypto.gaussian_steps import FINEST_BITS, gaussian_steps, noise_grid
from fedcli.crypto.strip_sampler import wide_gaussian

KEY = bytes(range(32))
SIZE = 40_000


@pytest.mark.parametrize(
    "deviation", [0.4, 1.0, 37.5, 2.0**20 * 1.3, 2.0**25.9, 2.0**26.9, 2.0**33.3, 2.0**42]
)
def test_the_samples_are_a_gaussian_rounded_to_whole_steps(deviation):
    drawn = gaussian_steps(SIZE, deviation=deviation, key=KEY)
    assert (drawn.shape, drawn.dtype) == ((SIZE,), np.int64)
    # Cells of equal probability, as far as whole steps allow.
    edges = np.unique(np.rint(deviation * stats.norm.ppf(np.linspace(0, 1, 21)[1:-1])))
    expected = np.diff([0.0, *stats.norm.cdf((edges + 0.5) / deviation), 1.0])
    observed = np.bincount(np.searchsorted(edges, drawn), minlength=expected.size)
    assert stats.chisquare(observed, expected * SIZE).pvalue > 1e-3


@pytest.mark.parametrize("deviation", [2.0**25.3, 2.0**30, 2.0**42])
def test_every_last_bit_occurs_equally_often(deviation):
    drawn = gaussian_steps(SIZE, deviation=deviation, key=KEY)
    assert stats.chisquare(np.bincount(drawn & 63, minlength=64)).pvalue > 1e-3
    assert stats.chisquare(np.bincount((drawn >> 6) & 63, minlength=64)).pvalue > 1e-3


def test_a_coarse_step_is_a_fine_sample_that_was_rounded():
    fine = wide_gaussian(9, variance=3 << (2 * FINEST_BITS), key=KEY)
    coarse = gaussian_steps(9, deviation=math.sqrt(3) * 2.0**10, key=KEY)
    assert coarse.tolist() == np.floor(fine / 2.0 ** (FINEST_BITS - 10) + 0.5).tolist()


def test_the_law_on_the_fine_steps_is_that_of_a_rounded_gaussian():
    # At 2^25 steps nothing would be seen, so the formula of the module is checked where it can be: at 200 steps.
    sigma, k = 200.0, np.array([0.0, 150.0, 400.0, 900.0])
    discrete = np.exp(-(k**2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
    rounded = stats.norm.sf((k - 0.5) / sigma) - stats.norm.sf((k + 0.5) / sigma)
    apart = ((k / sigma) ** 2 - 1) / (24 * sigma**2)
    assert np.log(rounded / discrete) == pytest.approx(apart, rel=1e-3, abs=1e-9)
    # Over 2^32 coordinates, with probability 1 - 2^-100 (Laurent and Massart 2000 for the sum of squares).
    size, t = 2.0**32, 100 * math.log(2)
    assert (2 * math.sqrt(size * t) + 2 * t) / (24 * 4.0**FINEST_BITS) < 2.0**-34


@pytest.mark.parametrize("deviation", [0.0, -1.0, math.inf, math.nan, 2.0**46])
def test_a_deviation_that_cannot_be_had_is_refused(deviation):
    with pytest.raises(ConfigError, match="standard deviation"):
        gaussian_steps(1, deviation=deviation, key=KEY)


@pytest.mark.parametrize("deviation", [1e-9, 0.7, 1.0, 3.1e5])
def test_a_step_is_a_power_of_two_and_small_against_the_noise(deviation):
    grid = noise_grid(deviation, bound=deviation / 3, dimension=100)
    assert math.frexp(grid.step)[0] == 0.5
    assert 2.0**FINEST_BITS <= deviation / grid.step < 2.0 ** (FINEST_BITS + 1)
    assert deviation <= grid.deviation * grid.step <= deviation * (1 + 1e-4)


def test_what_is_released_lies_on_the_grid_whatever_was_there():
    grid = noise_grid(0.7, bound=1.0, dimension=3)
    for vector in (np.zeros(3), np.array([1e-17, 0.1, 1 / 3])):
        steps = grid.noised(vector, key=KEY) / grid.step
        assert np.array_equal(steps, np.rint(steps))


def test_rounding_moves_neighbours_apart_by_less_than_the_noise_is_larger():
    rng = np.random.default_rng(0)
    bound, size = 1e-6, 1000
    grid = noise_grid(0.02 * bound, bound=bound, dimension=size)
    for _ in range(20):
        one, apart = rng.normal(size=size), rng.normal(size=size)
        other = one + apart * (bound / np.linalg.norm(apart))
        moved = np.linalg.norm(grid.rounded(one) - grid.rounded(other))
        assert 0.02 * moved <= grid.deviation
