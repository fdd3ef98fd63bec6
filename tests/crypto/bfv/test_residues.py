"""Modular arithmetic with 60-bit primes against Python's integers, and Shamir's secret sharing."""

import hashlib
import itertools

import numpy as np
import pytest

from fedcli.crypto.bfv.errors import DecryptionError
from fedcli.crypto.bfv.residues import (
    add,
    combine,
    lagrange_at_zero,
    multiply,
    remainder,
    scale,
    shake_stream,
    share,
    summed,
    uniform,
)
from fedcli.crypto.noise import keystream

PRIMES = [97, (1 << 61) - 1, 0xFFFFFFFFFFFC001, 0xFFFFFFFFFFD8001]


def edges(prime):
    near = [0, 1, 2, prime // 2, prime - 2, prime - 1, (1 << 32) % prime, ((1 << 32) - 1) % prime]
    return near + uniform(prime, 50, keystream(bytes(32))).tolist()


@pytest.mark.parametrize("prime", PRIMES)
def test_sums_and_products_are_those_of_integers(prime):
    a, b = (
        np.array(side, np.uint64) for side in zip(*itertools.product(edges(prime), repeat=2), strict=True)
    )
    assert add(a, b, prime).tolist() == [(x + y) % prime for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert multiply(a, b, prime).tolist() == [
        x * y % prime for x, y in zip(a.tolist(), b.tolist(), strict=True)
    ]


@pytest.mark.parametrize("prime", PRIMES)
def test_any_words_are_scaled_and_reduced_as_integers_are(prime):
    words = np.array([*edges(prime), prime, 2 * prime + 1, 2**63, 2**64 - 1], np.uint64)
    assert remainder(words, prime).tolist() == [x % prime for x in words.tolist()]
    factors = edges(prime)
    scaled = scale(np.broadcast_to(words, (len(factors), words.size)), factors, prime)
    assert scaled.tolist() == [[x * factor % prime for x in words.tolist()] for factor in factors]


@pytest.mark.parametrize("prime", PRIMES)
def test_a_sum_of_many_is_that_of_integers(prime):
    parts = [np.array([0, 1, prime - 1], np.uint64)] * 30
    assert summed(parts, prime).tolist() == [0, 30 % prime, -30 % prime]


@pytest.mark.parametrize("prime", PRIMES)
def test_uniform_residues_lie_below_the_prime_and_spread(prime):
    drawn = uniform(prime, 10_000, keystream(bytes(32)))
    assert drawn.size == 10_000
    assert drawn.max() < prime
    assert abs(drawn.astype(float).mean() / prime - 0.5) < 0.02


def test_the_shake_stream_is_that_of_the_hash_and_goes_on():
    draw = shake_stream(b"seed")
    words = np.concatenate([draw(3), draw(2)])
    assert words.tobytes() == hashlib.shake_256(b"seed").digest(40)


@pytest.mark.parametrize("prime", PRIMES)
def test_any_threshold_of_shares_gives_the_secret_back(prime):
    secret = np.array(edges(prime)[:8], np.uint64)
    shares = share(secret, range(1, 6), 3, prime=prime, draw=keystream(bytes(32)))
    for chosen in itertools.combinations(shares, 3):
        assert np.array_equal(combine({point: shares[point] for point in chosen}, 3, prime=prime), secret)
    assert np.array_equal(combine(shares, 3, prime=prime), secret)


def test_one_share_less_than_the_threshold_fits_every_secret():
    # Over a small field all polynomials can be counted: two shares leave the secret's law as it was.
    draw = keystream(bytes(32))
    shares = share(np.zeros(97 * 200, np.uint64), [1, 2], 3, prime=97, draw=draw)
    counts = np.bincount(shares[1].astype(int) * 97 + shares[2].astype(int), minlength=97 * 97)
    assert counts.max() <= 15
    # Given shares (y1, y2), each secret s has one polynomial through it.
    weights = lagrange_at_zero((1, 2, 3), 97)
    completed = {(weights[1] * 5 + weights[2] * 9 + weights[3] * y3) % 97 for y3 in range(97)}
    assert completed == set(range(97))


def test_too_few_shares_are_refused():
    shares = share(np.ones(2, np.uint64), range(1, 6), 3, prime=97, draw=keystream(bytes(32)))
    with pytest.raises(DecryptionError, match="3 shares are needed; received 2"):
        combine({1: shares[1], 2: shares[2]}, 3, prime=97)
