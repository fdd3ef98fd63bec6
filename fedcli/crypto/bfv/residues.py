"""Exact arithmetic over arrays modulo primes of up to 62 bits, and Shamir's secret sharing (1979).

SEAL offers neither to Python. Everything is done in 64-bit words, without floating-point numbers: products of arrays by
Montgomery's method (1985), products with one number by Shoup's, and high halves of products from 32-bit halves.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fedcli.crypto.bfv.errors import DecryptionError

Words = npt.NDArray[np.uint64]
Draw = Callable[[int], Words]

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def add(a: Words, b: Words | np.uint64, prime: int) -> Words:
    """a + b modulo the prime, elementwise."""
    return _below(a + b, prime)


def summed(parts: Iterable[Words], prime: int) -> Words:
    """The sum of several arrays modulo the prime, elementwise."""
    return functools.reduce(lambda one, other: add(one, other, prime), parts)


def remainder(words: Words, prime: int) -> Words:
    """Any words modulo the prime, elementwise."""
    # NumPy divides by one number faster than it takes the remainder.
    return words - words // np.uint64(prime) * np.uint64(prime)


def multiply(a: Words, b: Words, prime: int) -> Words:
    """a b modulo an odd prime, elementwise.

    Args:
        a: residues, shape [L].
        b: residues, the same shape.
        prime: odd, below 2^62.
    """
    # Montgomery's method gives a b / 2^64 modulo the prime.
    low, high = a * b, _high(a, b)
    multiple = low * np.uint64(pow(-prime, -1, 1 << 64))
    # The low words cancel, and carry one unless both are zero.
    divided = _below(high + _high(multiple, np.uint64(prime)) + (low != 0), prime)
    # The factor 2^64 takes the division back.
    product: Words = scale(divided[None], [(1 << 64) % prime], prime)[0]
    return product


def scale(a: Words, factors: Sequence[int], prime: int) -> Words:
    """Each row times its own number, modulo the prime, by Shoup's method (Harvey 2014, arXiv:1205.2926).

    Args:
        a: any words, shape [R, L].
        factors: R residues.
        prime: below 2^62.
    """
    times = np.array(factors, np.uint64)[:, None]
    quotients = np.array([(factor << 64) // prime for factor in factors], np.uint64)[:, None]
    # Both products may overflow: their difference lies below 2 * prime, so 64 bits hold it.
    return _below(a * times - _high(a, quotients) * np.uint64(prime), prime)


def uniform(prime: int, count: int, draw: Draw) -> Words:
    """Uniform residues, shape [count], by rejection.

    Args:
        prime: below 2^63.
        count: number of residues.
        draw: `count` -> uniform 64-bit words; see `noise.keystream`.
    """
    # Cut to the prime's length, so that more than half of the words are kept.
    shift = np.uint64(64 - prime.bit_length())
    kept = np.zeros(0, np.uint64)
    while kept.size < count:
        words = draw(count - kept.size) >> shift
        kept = np.concatenate([kept, words[words < np.uint64(prime)]])
    return kept


def shake_stream(seed: bytes) -> Draw:
    """Public 64-bit words from SHAKE-256 of a seed: `count` -> the next words, the same for everybody."""
    state = hashlib.shake_256(seed)
    read = 0

    def draw(count: int) -> Words:
        nonlocal read
        # hashlib has no incremental output: every call computes the stream from its start.
        begin, read = read, read + 8 * count
        return np.frombuffer(state.digest(read)[begin:], "<u8").astype(np.uint64, copy=False)

    return draw


def share(
    secret: Words, points: Sequence[int], threshold: int, *, prime: int, draw: Draw
) -> dict[int, Words]:
    """Shamir shares of every residue: values at `points` of random polynomials of degree threshold - 1.

    Args:
        secret: residues, shape [L].
        points: distinct numbers in [1, prime).
        threshold: number of shares that recover the secret; one fewer reveals nothing about it.
        prime: modulus of the field.
        draw: fresh secret randomness.

    Returns:
        The share for each point, shape [L].
    """
    coefficients = [uniform(prime, secret.size, draw) for _ in range(threshold - 1)]
    values = np.zeros((len(points), secret.size), np.uint64)
    # Horner's scheme at all points at once.
    for coefficient in [*reversed(coefficients), secret]:
        values = add(scale(values, points, prime), coefficient, prime)
    return dict(zip(points, values, strict=True))


def combine(shares: Mapping[int, Words], threshold: int, *, prime: int) -> Words:
    """The secret from at least `threshold` shares, all of which are used.

    Raises:
        DecryptionError: if there are fewer.
    """
    if len(shares) < threshold:
        raise DecryptionError(f"{threshold} shares are needed; received {len(shares)}.")
    weights = lagrange_at_zero(tuple(shares), prime)
    factors = [weights[point] for point in shares]
    return summed(scale(np.stack(list(shares.values())), factors, prime), prime)


def fit_one_polynomial(shares: Mapping[int, Words], threshold: int, *, prime: int, draw: Draw) -> bool:
    """Whether all shares lie on one polynomial of a degree below `threshold`; with no more shares than that, they do.

    Values at n points lie on such a polynomial exactly if they are orthogonal to the dual code; one random word of that
    code is tried, which misses others with a probability of 1 / prime.

    Args:
        shares: by point.
        threshold: number of shares that give the secret.
        prime: the modulus.
        draw: `count` -> uniform 64-bit words, which whoever made the shares does not know.

    Reference: Cascudo and David 2017 (SCRAPE), ePrint 2017/216, Section 2.1.
    """
    points = list(shares)
    if len(points) <= threshold:
        return True
    word = [int(each) for each in uniform(prime, len(points) - threshold, draw)]
    factors = []
    for point in points:
        value, below = 0, 1
        for coefficient in word:
            value = (value * point + coefficient) % prime
        for other in points:
            if other != point:
                below = below * (point - other) % prime
        factors.append(value * pow(below, -1, prime) % prime)
    return not summed(scale(np.stack(list(shares.values())), factors, prime), prime).any()


def lagrange_at_zero(points: Sequence[int], prime: int) -> dict[int, int]:
    """Lagrange weights: the weighted sum of a polynomial's values at the points is its value at 0."""
    weights = {}
    for point in points:
        above, below = 1, 1
        for other in points:
            if other != point:
                above = above * other % prime
                below = below * (other - point) % prime
        weights[point] = above * pow(below, -1, prime) % prime
    return weights


def _below(words: Words, prime: int) -> Words:
    """Words below twice the prime, modulo the prime."""
    # A negative difference wraps around to a large word, so the smaller of the two words is the residue.
    below: Words = np.minimum(words, words - np.uint64(prime))
    return below


def _high(a: Words, b: Words | np.uint64) -> Words:
    """The upper 64 of the 128 bits of a b, elementwise."""
    a_low, a_high, b_low, b_high = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    low_high, high_low = a_low * b_high, a_high * b_low
    carry = ((a_low * b_low) >> _HALF) + (low_high & _LOW) + (high_low & _LOW)
    upper: Words = a_high * b_high + (low_high >> _HALF) + (high_low >> _HALF) + (carry >> _HALF)
    return upper
