"""Sampler of wide discrete Gaussians: strips of equal width, and a coin for the height within the strip.

`discrete_gaussian` tosses dozens of coins for a sample, and takes five times as long. Here a strip is chosen by its
largest probability, a point in it uniformly, and the point is accepted by one coin, of probability 0.95 or more in all
but the furthest strips. The coin is decided in float64 wherever that is certain, and with as many digits as needed
otherwise, so that the result follows from the key alone on every machine. The law differs from the exact one by less
than 2^-100 a sample.
"""

from __future__ import annotations

import functools
import math
from decimal import Decimal, localcontext
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.crypto.discrete_gaussian import Draw, Integers
from fedcli.crypto.noise import keystream

LEAST_BITS = 40
"""Logarithm of the least variance. Above it, float64 decides all but one coin in 2^40."""

_NUM_BITS = 11  # strips
_HALF = 1 << (_NUM_BITS - 1)
_COIN_BITS = 64 - _NUM_BITS
_BLOCK = 1 << 14  # proposals that fit in the processor's cache
_DIGITS = 60
_DOUBT = 1.0  # units of a coin within which float64 may be wrong: many times its error


class _Strips(NamedTuple):
    """Walker's alias table: strip i stays with probability (high + low / 2^64) / 2^53, and is `other` otherwise."""

    width_bits: int
    nearest: npt.NDArray[np.float64]
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    other: Integers


def wide_gaussian(size: int, *, variance: int, key: bytes) -> Integers:
    """Independent samples of N_Z(0, variance), shape [size].

    Args:
        size: number of samples.
        variance: sigma^2, a whole number from 2^40 to 2^56.
        key: 32 bytes, used for one call only.
    """
    strips, draw = _strips(variance), keystream(key)
    kept: list[Integers] = []
    missing = size
    while missing > 0:
        # A few more than are missing, as one in thirty is rejected.
        count = min(_BLOCK, missing + missing // 16 + 16)
        points, accepted = _proposed(strips, variance, count, draw)
        kept.append(points[accepted][:missing])
        missing -= kept[-1].size
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)


def _proposed(
    strips: _Strips, variance: int, count: int, draw: Draw
) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Points, and whether each is accepted."""
    words = draw(2 * count)
    index = (words[:count] >> np.uint64(_COIN_BITS)).astype(np.int64)
    coins = words[:count] & np.uint64((1 << _COIN_BITS) - 1)
    high = strips.high[index]
    stays = coins < high
    for equal in np.flatnonzero(coins == high):
        stays[equal] = draw(1)[0] < strips.low[index[equal]]
    index = np.where(stays, index, strips.other[index])
    width = np.uint64(strips.width_bits)
    within = (words[count:] & ((np.uint64(1) << width) - np.uint64(1))).astype(np.int64)
    points = ((index - _HALF) << strips.width_bits) + within
    # exp(-(k^2 - m^2) / (2 variance)), where m is the strip's point nearest to zero.
    nearest = strips.nearest[index]
    exact = points.astype(np.float64)
    chance = np.exp((nearest - exact) * (nearest + exact) / (2.0 * variance))
    height = np.ldexp(chance, 64 - strips.width_bits)
    thrown = (words[count:] >> width).astype(np.float64)
    accepted = thrown < height
    for doubtful in np.flatnonzero(np.abs(thrown - height) <= _DOUBT):
        accepted[doubtful] = _is_below(
            int(words[count + doubtful]) >> strips.width_bits,
            64 - strips.width_bits,
            (int(points[doubtful]) ** 2 - int(nearest[doubtful]) ** 2, 2 * variance),
            draw,
        )
    return points, accepted


def _is_below(thrown: int, bits: int, exponent: tuple[int, int], draw: Draw) -> bool:
    """Whether a uniform number that begins with `thrown` / 2^bits is below exp(-n / d), with 64 bits more."""
    with localcontext() as context:
        context.prec = _DIGITS
        chance = (-Decimal(exponent[0]) / Decimal(exponent[1])).exp()
        return (thrown << 64) + int(draw(1)[0]) < int(chance * (1 << (bits + 64)))


@functools.lru_cache(maxsize=16)
def _strips(variance: int) -> _Strips:
    # A deviation is 32 to 64 strips wide, so that 2^11 of them reach to 16 deviations or more: e^-128.
    width_bits = (math.isqrt(variance).bit_length() - 1) - 5
    nearest = [i << width_bits if i >= 0 else ((i + 1) << width_bits) - 1 for i in range(-_HALF, _HALF)]
    with localcontext() as context:
        context.prec = _DIGITS
        unit = 1 << 160
        weights = [int((Decimal(-(m * m)) / (2 * variance)).exp() * unit) for m in nearest]
    stays, other = _alias(weights)
    return _Strips(
        width_bits,
        np.array(nearest, np.float64),
        np.array([each >> 64 for each in stays], np.uint64),
        np.array([each & ((1 << 64) - 1) for each in stays], np.uint64),
        np.array(other, np.int64),
    )


def _alias(weights: list[int]) -> tuple[list[int], list[int]]:
    """Vose's alias table of whole weights: the chance to stay, in units of 2^-(53 + 64), and the strip otherwise."""
    total, number = sum(weights), len(weights)
    left = [weight * number for weight in weights]
    stays, other = [(1 << (_COIN_BITS + 64)) - 1] * number, list(range(number))
    small = [i for i, each in enumerate(left) if each < total]
    large = [i for i, each in enumerate(left) if each >= total]
    while small and large:
        less, more = small.pop(), large[-1]
        stays[less], other[less] = (left[less] << (_COIN_BITS + 64)) // total, more
        left[more] -= total - left[less]
        if left[more] < total:
            small.append(large.pop())
    return stays, other
