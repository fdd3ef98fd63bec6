"""The sampler of wide noise: its table, its law, its rare decisions, and that it follows from the key alone."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from fedcli.crypto import strip_sampler
from fedcli.crypto.strip_sampler import wide_gaussian

KEY = bytes(range(32))


@pytest.mark.parametrize("variance", [1 << 40, (1 << 50) + 12345, 3 << 51])
def test_the_samples_follow_the_law_and_every_last_bit_occurs_equally_often(variance):
    drawn = wide_gaussian(200_000, variance=variance, key=KEY)
    scaled = drawn / math.sqrt(variance)
    assert stats.kstest(scaled, "norm").pvalue > 1e-3
    assert abs(scaled.var() - 1) < 4 * math.sqrt(2 / scaled.size)
    assert stats.chisquare(np.bincount(drawn & 255)).pvalue > 1e-3


def test_the_table_chooses_every_strip_by_its_largest_probability():
    variance = 1 << 50
    strips = strip_sampler._strips(variance)
    number = strips.nearest.size
    unit = Fraction(1, 1 << (53 + 64))
    chances = [Fraction(0)] * number
    for i, (high, low, other) in enumerate(zip(strips.high, strips.low, strips.other, strict=True)):
        stays = (int(high) * 2**64 + int(low)) * unit
        chances[i] += stays / number
        chances[other] += (1 - stays) / number
    expected = np.exp(-(strips.nearest**2) / (2 * variance))
    np.testing.assert_allclose(
        np.array(chances, float), expected / expected.sum(), rtol=1e-12, atol=2.0**-110
    )
    assert strips.nearest[number // 2 - 1 : number // 2 + 1].tolist() == [-1, 0]
    # The strips reach to 16 deviations, beyond which there is e^-128.
    assert strips.nearest[-1] > 15.9 * math.sqrt(variance)


def test_a_fixed_key_keeps_its_values_on_every_machine():
    assert wide_gaussian(4, variance=1 << 50, key=bytes(32)).tolist() == [
        1517313,
        -29745624,
        -37498253,
        22147935,
    ]


def test_a_decision_that_float64_cannot_make_is_made_with_more_digits():
    half = (69, 100)  # exp(-0.69) = 0.5016
    height = math.exp(-0.69) * 2**40

    def draw(word):
        return lambda _count: np.array([word], np.uint64)

    below, above = math.floor(height), math.ceil(height)
    assert strip_sampler._is_below(below - 1, 40, half, draw(2**64 - 1))
    assert not strip_sampler._is_below(above, 40, half, draw(0))
    rest = height - below
    assert strip_sampler._is_below(below, 40, half, draw(int((rest - 0.01) * 2**64)))
    assert not strip_sampler._is_below(below, 40, half, draw(int((rest + 0.01) * 2**64)))


def test_the_doubtful_are_decided_one_by_one(monkeypatch):
    # As if float64 had four digits: the same coins then need more of them often, and come to the same.
    plain = wide_gaussian(2000, variance=1 << 50, key=KEY)
    asked = []

    def decided(thrown, bits, exponent, _draw):
        asked.append(thrown)
        return thrown < math.exp(-exponent[0] / exponent[1]) * 2**bits

    monkeypatch.setattr(strip_sampler, "_is_below", decided)
    monkeypatch.setattr(strip_sampler, "_DOUBT", 2.0**38)
    assert np.array_equal(wide_gaussian(2000, variance=1 << 50, key=KEY), plain)
    assert asked


@pytest.mark.parametrize("size", [0, 1, 7, 40_001])
def test_any_size_is_served_with_integers(size):
    drawn = wide_gaussian(size, variance=1 << 50, key=KEY)
    assert (drawn.shape, drawn.dtype) == ((size,), np.int64)
