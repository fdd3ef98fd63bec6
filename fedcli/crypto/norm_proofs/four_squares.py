"""Representation of any number as a sum of four squares (Lagrange's theorem).

A norm proof shows that B^2 - ||u||^2 is not negative by showing that it is a sum of four squares.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Final

_SMALL: Final = 1 << 10
# Miller and Rabin's test with these bases decides below 3.3 * 10^24 (Sorenson and Webster 2015, arXiv:1509.00864).
_BASES: Final = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)
_DECIDED: Final = 3_317_044_064_679_887_385_961_981


def four_squares(number: int, draw: Callable[[int], int]) -> tuple[int, int, int, int]:
    """Random integers a, b, c, e >= 0 with a^2 + b^2 + c^2 + e^2 = number.

    Two squares are drawn until the rest is a prime of the form 4k + 1, which is a sum of two squares. The running time
    depends on the number.

    Args:
        number: from 0 to 3.3 * 10^24.
        draw: `bound` -> a uniform integer in [0, bound).

    Raises:
        ValueError: if the number lies outside that range.

    Reference: Rabin and Shallit 1986, Randomized algorithms in number theory.
    """
    if not 0 <= number < _DECIDED:
        raise ValueError(f"number must satisfy 0 <= number < {_DECIDED}; received {number}.")
    scale = 1
    # No parities below fit a multiple of 4; its squares follow from those of a quarter of it.
    while number and number % 4 == 0:
        number, scale = number // 4, 2 * scale
    if number < _SMALL:
        a, b, c, e = next(
            (a, b, c, math.isqrt(rest))
            for a, b, c in product(range(math.isqrt(number) + 1), repeat=3)
            if (rest := number - a * a - b * b - c * c) >= 0 and math.isqrt(rest) ** 2 == rest
        )
    else:
        a, b, c, e = _rabin_shallit(number, draw)
    return scale * a, scale * b, scale * c, scale * e


def _rabin_shallit(number: int, draw: Callable[[int], int]) -> tuple[int, int, int, int]:
    # Odd squares are 1 modulo 4 and even ones 0; with these parities the rest is 1 modulo 4.
    first_odd, second_odd = number % 4 != 1, number % 4 == 3
    while True:
        a = _drawn(math.isqrt(number), first_odd, draw)
        b = _drawn(math.isqrt(number - a * a), second_odd, draw) if a * a <= number else 0
        rest = number - a * a - b * b
        if rest > 4 and rest % 4 == 1 and is_prime(rest):
            return a, b, *_two_squares(rest, draw)


def _drawn(most: int, odd: bool, draw: Callable[[int], int]) -> int:
    return 2 * draw(most // 2 + 1) + odd


def _two_squares(prime: int, draw: Callable[[int], int]) -> tuple[int, int]:
    """a^2 + b^2 = prime by Hermite and Serret: Euclid's algorithm from a root of -1 down to the root of the prime."""
    root = 0
    while root * root % prime != prime - 1:
        root = pow(1 + draw(prime - 1), (prime - 1) // 4, prime)
    larger, smaller = prime, root
    while smaller * smaller > prime:
        larger, smaller = smaller, larger % smaller
    return smaller, math.isqrt(prime - smaller * smaller)


def is_prime(number: int) -> bool:
    """Whether `number`, below 3.3 * 10^24, is prime; the answer is certain."""
    if number < 2 or any(number % base == 0 for base in _BASES):
        return number in _BASES
    # number - 1 is an odd number times 2^twos.
    twos = ((number - 1) & (1 - number)).bit_length() - 1
    for base in _BASES:
        power = pow(base, (number - 1) >> twos, number)
        if power == 1:
            continue
        for _ in range(twos):
            if power == number - 1:
                break
            power = power * power % number
        else:
            return False
    return True
