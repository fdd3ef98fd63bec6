"""The exact sampler against its law, against a plain sampler with fractions, and against known values."""

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from fedcli.core.errors import ConfigError
from fedcli.crypto.discrete_gaussian import discrete_gaussian, grid_variance

KEY = bytes(range(32))
VARIANCES = [Fraction(1, 8), Fraction(1, 4), Fraction(1), Fraction(7, 3), Fraction(50), Fraction(12345, 7)]


# The algorithms of arXiv:2004.00010 as they are printed, one sample at a time.


def plain_exp_coin(rng, gamma):
    while gamma > 1:
        if not plain_exp_coin(rng, Fraction(1)):
            return False
        gamma -= 1
    k = 1
    while rng.randrange(gamma.denominator * k) < gamma.numerator:
        k += 1
    return k % 2 == 1


def plain_laplace(rng, scale):
    while True:
        u = rng.randrange(scale)
        if not plain_exp_coin(rng, Fraction(u, scale)):
            continue
        v = 0
        while plain_exp_coin(rng, Fraction(1)):
            v += 1
        x, negative = u + scale * v, rng.randrange(2)
        if negative and x == 0:
            continue
        return -x if negative else x


def plain_gaussian(rng, variance):
    scale = math.isqrt(math.floor(variance)) + 1
    while True:
        y = plain_laplace(rng, scale)
        if plain_exp_coin(rng, (abs(y) - variance / scale) ** 2 / (2 * variance)):
            return y


def law(variance, reach):
    x = np.arange(-reach, reach + 1)
    weights = np.exp(-(x.astype(float) ** 2) / (2 * float(variance)))
    return x, weights / weights.sum()


def cells(samples, variance):
    """Counts and expected counts in cells of at least 20 expected samples, the last one excepted."""
    x, probability = law(variance, math.ceil(12 * math.sqrt(variance)) + 3)
    assert abs(samples).max() <= x[-1]
    counts = np.bincount(samples - x[0], minlength=x.size)
    pooled = np.floor(np.cumsum(probability) * samples.size / 20)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(pooled)) + 1])
    return np.add.reduceat(counts, edges), np.add.reduceat(probability * samples.size, edges)


@pytest.mark.parametrize("variance", VARIANCES, ids=str)
def test_the_samples_follow_the_law(variance):
    samples = discrete_gaussian(200_000, variance=variance, key=KEY)
    observed, expected = cells(samples, variance)
    assert len(expected) >= 3
    assert (
        stats.chisquare(observed[:-1], expected[:-1] * observed[:-1].sum() / expected[:-1].sum()).pvalue
        > 1e-3
    )
    assert abs(observed[-1] - expected[-1]) <= 5 * math.sqrt(expected[-1] + 1)


@pytest.mark.parametrize("variance", [Fraction(1, 4), Fraction(7, 3), Fraction(50)], ids=str)
def test_it_agrees_with_the_plain_sampler(variance):
    rng = random.Random(5)
    plain = np.array([plain_gaussian(rng, variance) for _ in range(8_000)])
    ours = discrete_gaussian(8_000, variance=variance, key=KEY)
    values = np.arange(min(plain.min(), ours.min()), max(plain.max(), ours.max()) + 1)
    table = np.array([[np.count_nonzero(drawn == value) for value in values] for drawn in (plain, ours)])
    common = table[:, table.sum(axis=0) >= 10]
    assert stats.chi2_contingency(common).pvalue > 1e-3


@pytest.mark.parametrize("deviation", [20.5, 2.0**20 * 1.3, 2.0**26.9])
def test_wide_noise_has_the_moments_and_the_shape_of_the_normal_law(deviation):
    size = 200_000
    samples = discrete_gaussian(size, variance=grid_variance(deviation), key=KEY) / deviation
    assert abs(samples.mean()) < 4 / math.sqrt(size)
    assert abs(samples.var() - 1) < 4 * math.sqrt(2 / size)
    assert abs(stats.kurtosis(samples)) < 4 * math.sqrt(24 / size)
    if deviation > 1000:
        assert stats.kstest(samples, "norm").pvalue > 1e-3


def test_both_signs_and_neighbouring_samples_are_independent():
    samples = discrete_gaussian(200_000, variance=10_000, key=KEY).astype(float)
    assert abs(np.sign(samples).mean()) < 5 / math.sqrt(samples.size)
    assert abs(np.corrcoef(samples[:-1], samples[1:])[0, 1]) < 5 / math.sqrt(samples.size)


@pytest.mark.parametrize(
    ("variance", "expected"),
    [
        (Fraction(1, 4), [0, 0, 0, 0, 0, 0, 1, -1]),
        (Fraction(7, 3), [1, 0, -2, 0, -2, -1, 2, 0]),
        (2**40, [-2264026, -110296, 815320, 578694, -226477, -117265, 1599072, -500613]),
    ],
    ids=str,
)
def test_a_fixed_key_keeps_its_values_on_every_machine(variance, expected):
    assert discrete_gaussian(8, variance=variance, key=bytes(32)).tolist() == expected


@pytest.mark.parametrize("size", [0, 1, 7, 100_001])
def test_any_size_is_served_with_integers(size):
    drawn = discrete_gaussian(size, variance=9, key=KEY)
    assert (drawn.shape, drawn.dtype) == ((size,), np.int64)


def test_another_key_gives_other_samples():
    first, second = (discrete_gaussian(1000, variance=10**6, key=bytes([n] * 32)) for n in (1, 2))
    assert (first != second).mean() > 0.99


@pytest.mark.parametrize("variance", [0, Fraction(-1, 2), 2**56, Fraction(2**54 + 1, 2**53)], ids=str)
def test_a_variance_that_cannot_be_had_is_refused(variance):
    with pytest.raises(ConfigError) as refused:
        discrete_gaussian(1, variance=variance, key=KEY)
    assert refused.value.key == "variance"


@pytest.mark.parametrize("deviation", [0.5, 1.0, 3.7, 1e3, 1.3e6, 2.0**26.99])
def test_a_variance_on_the_grid_is_never_below_the_one_asked_for_and_hardly_above(deviation):
    variance = grid_variance(deviation)
    assert Fraction(deviation) ** 2 <= variance <= Fraction(deviation) ** 2 * (1 + Fraction(1, 10**9))
    assert discrete_gaussian(3, variance=variance, key=KEY).size == 3
