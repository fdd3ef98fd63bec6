"""Sums of four squares, for all small numbers and for many large ones."""

import math
import random

import pytest

from fedcli.crypto.norm_proofs.four_squares import four_squares, is_prime

RANDOM = random.Random(7)


def checked(number):
    squares = four_squares(number, RANDOM.randrange)
    assert sum(root * root for root in squares) == number
    assert min(squares) >= 0


def test_every_small_number_is_a_sum_of_four_squares():
    for number in range(6000):
        checked(number)


@pytest.mark.parametrize("bits", [20, 40, 52, 60, 80])
def test_large_numbers_are_sums_of_four_squares(bits):
    for number in [RANDOM.randrange(1 << bits) for _ in range(60)] + list(
        range((1 << bits) - 8, (1 << bits) + 8)
    ):
        checked(number)


def test_powers_of_two_and_numbers_that_need_four_squares():
    for exponent in range(80):
        checked(2**exponent)
        checked(7 * 4 ** (exponent // 2))


@pytest.mark.parametrize("number", [-1, 10**25])
def test_a_number_out_of_range_is_refused(number):
    with pytest.raises(ValueError, match=rf"received {number}"):
        four_squares(number, RANDOM.randrange)


def test_primes_are_those_of_a_sieve():
    sieve = [
        number for number in range(2, 20_000) if all(number % p for p in range(2, math.isqrt(number) + 1))
    ]
    assert [number for number in range(20_000) if is_prime(number)] == sieve


def test_strong_pseudoprimes_are_not_taken_for_primes():
    # To the first 4, 9 and 12 bases (Jaeschke 1993; Jiang and Deng 2014; Sorenson and Webster 2015).
    assert not any(map(is_prime, [3215031751, 3825123056546413051, 318665857834031151167461]))
    assert is_prime(2**61 - 1)
    assert not is_prime((2**31 - 1) ** 2)
