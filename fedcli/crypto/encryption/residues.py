"""Exact arithmetic modulo primes of up to 62 bits over arrays, and Shamir's sharing (1979) with it.

SEAL has neither fields over arrays nor sharing. All is done in words of 64 bits: products by Montgomery's method
(1985), their high halves by halves of 32 bits. No floating-point number takes part.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fedcli.crypto.encryption.errors import DecryptionError

Words = npt.NDArray[np.uint64]
Draw = Callable[[int], Words]

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def add(a: Words, b: Words | np.uint64, prime: int) -> Words:
    """a + b modulo the prime, elementwise."""
    total = a + b
    return np.where(total >= np.uint64(prime), total - np.uint64(prime), total)


def remainder(words: Words, prime: int) -> Words:
    """Any words modulo the prime; NumPy divides by one number faster than it takes the remainder."""
    return words - words // np.uint64(prime) * np.uint64(prime)


def multiply(a: Words, b: Words | np.uint64, prime: int) -> Words:
    """a b modulo an odd prime, elementwise.

    Args:
        a: residues, any shape.
        b: residues of a shape that broadcasts to that of `a`.
        prime: odd, below 2^62.
    """
    inverse = np.uint64(pow(-prime, -1, 1 << 64))
    squared_radix = np.uint64(pow(2, 128, prime))
    factor = np.broadcast_to(b, a.shape)
    return _reduced(
        _reduced(a, factor, prime, inverse), np.broadcast_to(squared_radix, a.shape), prime, inverse
    )


def uniform(prime: int, count: int, draw: Draw) -> Words:
    """Uniform residues, shape [count], by rejection.

    Args:
        prime: below 2^63.
        count: how many.
        draw: `count` -> uniform words of 64 bits; see `noise.keystream`.
    """
    shift = np.uint64(64 - prime.bit_length())
    kept = np.zeros(0, np.uint64)
    while kept.size < count:
        words = draw(count - kept.size) >> shift
        kept = np.concatenate([kept, words[words < np.uint64(prime)]])
    return kept


def shake_stream(seed: bytes) -> Draw:
    """Public words of 64 bits from SHAKE-256 of a seed: `count` -> the next words, the same for everybody."""
    state = hashlib.shake_256(seed)
    read = 0

    def draw(count: int) -> Words:
        nonlocal read
        begin, read = read, read + 8 * count
        return np.frombuffer(state.digest(read)[begin:], "<u8").astype(np.uint64, copy=False)

    return draw


def share(
    secret: Words, points: Sequence[int], threshold: int, *, prime: int, draw: Draw
) -> dict[int, Words]:
    """Shamir's shares of every residue: values at `points` of random polynomials of degree threshold - 1.

    Args:
        secret: residues, shape [L].
        points: different numbers in [1, prime).
        threshold: shares that give the secret back; one less is independent of it.
        prime: the field.
        draw: fresh secret randomness.
    """
    coefficients = [uniform(prime, secret.size, draw) for _ in range(threshold - 1)]
    factors = np.array(points, np.uint64)[:, None]
    values = np.zeros((len(points), secret.size), np.uint64)
    for coefficient in [*reversed(coefficients), secret]:
        values = add(multiply(values, factors, prime), coefficient, prime)
    return dict(zip(points, values, strict=True))


def combine(shares: Mapping[int, Words], threshold: int, *, prime: int) -> Words:
    """The secret from at least `threshold` shares; all of them are used.

    Raises:
        DecryptionError: if there are fewer.
    """
    if len(shares) < threshold:
        raise DecryptionError(f"{threshold} shares are needed; received {len(shares)}.")
    weights = lagrange_at_zero(tuple(shares), prime)
    factors = np.array([weights[point] for point in shares], np.uint64)[:, None]
    weighted = multiply(np.stack(list(shares.values())), factors, prime)
    return functools.reduce(lambda total, one: add(total, one, prime), weighted)


def lagrange_at_zero(points: Sequence[int], prime: int) -> dict[int, int]:
    """The weights that take a polynomial's values at the points to its value at 0."""
    weights = {}
    for point in points:
        above, below = 1, 1
        for other in points:
            if other != point:
                above = above * other % prime
                below = below * (other - point) % prime
        weights[point] = above * pow(below, -1, prime) % prime
    return weights


def _reduced(a: Words, b: Words, prime: int, inverse: np.uint64) -> Words:
    """a b / 2^64 modulo the prime."""
    low, high = a * b, _high(a, b)
    multiple = low * inverse
    # The low words cancel, and carry one unless both are zero.
    total = high + _high(multiple, np.broadcast_to(np.uint64(prime), a.shape)) + (low != 0)
    reduced: Words = np.where(total >= np.uint64(prime), total - np.uint64(prime), total)
    return reduced


def _high(a: Words, b: Words) -> Words:
    """The upper 64 of the 128 bits of a b."""
    a_low, a_high, b_low, b_high = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    low_high, high_low = a_low * b_high, a_high * b_low
    carry = ((a_low * b_low) >> _HALF) + (low_high & _LOW) + (high_low & _LOW)
    upper: Words = a_high * b_high + (low_high >> _HALF) + (high_low >> _HALF) + (carry >> _HALF)
    return upper
