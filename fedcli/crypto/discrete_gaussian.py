"""Exact sampler of the discrete Gaussian distribution.

The last bits of floating-point samples do not follow the distribution, which can leak what the noise should hide
(Mironov 2012). Here every random decision is made with integers.

Reference: Canonne, Kamath, Steinke 2020, arXiv:2004.00010, algorithms 1 to 3, applied to whole arrays. Where we
deviate: the exponent of the last rejection, m^2 / (2 n d t^2), is split into products of fractions that fit in 64
bits. This is exact, because a coin of probability x y is two coins, and so is a coin of exp(-(a + b)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError
from fedcli.crypto.noise import keystream

Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Coins = npt.NDArray[np.bool_]
Draw = Callable[[int], Words]

_BLOCK = 1 << 15  # proposals that fit in the processor's cache
_LARGEST = 1 << 55  # limit of n and d t^2, so that 127 times as much fits in 63 bits
_FURTHEST = 126  # whole scales in a proposal, so that |y| < 127 scale and products fit in 63 bits
_LEAST = Fraction(1, 1 << 20)  # below it a product of coins would not fit in 63 bits


def discrete_gaussian(size: int, *, variance: Fraction | int, key: bytes) -> Integers:
    """Independent samples of N_Z(0, variance), shape [size]: P(x) is proportional to exp(-x^2 / (2 variance)).

    Values beyond 127 standard deviations are never proposed, which changes the law by less than e^-8000. The running
    time depends on the sampled values.

    Args:
        size: number of samples.
        variance: sigma^2 as an exact fraction; see `grid_variance`.
        key: 32 bytes, used for one call only. Take it from `secrets.token_bytes` wherever the noise protects people.

    Raises:
        ConfigError: if the variance is not above 0, or its numerator or denominator is too large.
    """
    exact = Fraction(variance)
    if not exact >= _LEAST:
        raise ConfigError(
            f"the variance of the noise must be at least 2^-20; received {variance}.", key="variance"
        )
    scale = math.isqrt(math.floor(exact)) + 1
    if max(exact.numerator, exact.denominator * scale**2) >= _LARGEST:
        raise ConfigError(
            f"the variance {exact} does not fit in 55 bits.",
            key="variance",
            hint="Use grid_variance, or a noise standard deviation below 2^27 grid steps.",
        )
    draw = keystream(key)
    kept: list[Integers] = []
    missing = size
    while missing > 0:
        # About half of the proposals are accepted; the 64 keep short requests from taking many turns.
        proposed = _discrete_laplace(min(_BLOCK, 2 * missing + 64), scale, draw)
        accepted = proposed[_accept(np.abs(proposed), exact, scale, draw)][:missing]
        kept.append(accepted)
        missing -= accepted.size
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)


def grid_variance(deviation: float) -> Fraction:
    """The smallest variance of at least `deviation`^2 that `discrete_gaussian` supports.

    Args:
        deviation: sigma in grid steps, above 0 and below 2^27.
    """
    squared = Fraction(deviation) ** 2
    # The denominator 2^bits is as fine as 55 bits for n and d t^2 allow.
    bits = max(0, min(32, 53 - 2 * (math.floor(deviation) + 1).bit_length()))
    # Rounded up: noise below the planned variance would protect less than its epsilon says.
    return Fraction(math.ceil(squared * 2**bits), 2**bits)


def _discrete_laplace(count: int, scale: int, draw: Draw) -> Integers:
    """Up to `count` samples with P(x) proportional to exp(-|x| / scale) (algorithm 2)."""
    # One uniform integer below 2 * scale gives both the remainder and the sign.
    q = ((1 << 64) - 1) // (2 * scale)
    both = (_words_below(q * 2 * scale, count, draw) // np.uint64(q)).astype(np.int64)
    within, sign = both >> 1, both & 1
    stays = _exp_coin(lambda active: _coin(within[active], scale, draw), count, draw)
    within, sign = within[stays], sign[stays]
    # The number of whole scales is the number of coins of probability exp(-1) that succeed in a row.
    whole = np.zeros(within.size, np.int64)
    active = np.arange(within.size)
    for _ in range(_FURTHEST):
        active = active[_exp_coin(lambda chosen: np.ones(chosen.size, np.bool_), active.size, draw)]
        if not active.size:
            break
        whole[active] += 1
    length = within + scale * whole
    # Zero is kept with one sign only; otherwise it would be drawn twice as often.
    once = (length != 0) | (sign == 0)
    signed: Integers = (length * (1 - 2 * sign))[once]
    return signed


def _accept(length: Integers, variance: Fraction, scale: int, draw: Draw) -> Coins:
    """Coins of probability exp(-(|y| - variance / scale)^2 / (2 variance)) (the rejection of algorithm 3).

    With variance = n / d and m = | |y| d scale - n |, the exponent is (m / n) (m / (d scale^2)) / 2.
    """
    n, d = variance.numerator, variance.denominator
    m = np.abs(length * (d * scale) - n)
    whole_a, rest_a = np.divmod(m, n)
    whole_b, rest_b = np.divmod(m, d * scale**2)

    def coin_a(active: Integers) -> Coins:
        return _coin(rest_a[active], n, draw)

    def coin_b(active: Integers) -> Coins:
        return _coin(rest_b[active], d * scale**2, draw)

    def certain(active: Integers) -> Coins:
        return np.ones(active.size, np.bool_)

    accepted = np.ones(length.size, np.bool_)
    # (whole_a + rest_a) (whole_b + rest_b), multiplied out: m^2 itself would not fit in 64 bits.
    factors = [
        (whole_a * whole_b, certain),
        (whole_a, coin_b),
        (whole_b, coin_a),
        (np.ones_like(m), lambda active: _and_then(coin_a(active), active, coin_b)),
    ]
    for times, coin in factors:
        _keep_where_all_succeed(accepted, times, coin, draw)
    return accepted


def _keep_where_all_succeed(
    accepted: Coins, times: Integers, coin: Callable[[Integers], Coins], draw: Draw
) -> None:
    """Clear the entries that fail one of their `times` coins of probability exp(-x / 2); `coin` has probability x."""
    active = np.flatnonzero(accepted & (times > 0))
    tossed = 0
    while active.size:
        here = active

        def half(chosen: Integers, here: Integers = here) -> Coins:
            return _and_then(_coin(np.ones(chosen.size, np.int64), 2, draw), here[chosen], coin)

        succeeded = _exp_coin(half, here.size, draw)
        accepted[here[~succeeded]] = False
        tossed += 1
        # Only entries that are still accepted get another coin, so each pass has less work than the one before.
        active = here[succeeded]
        active = active[times[active] > tossed]


def _exp_coin(coin: Callable[[Integers], Coins], count: int, draw: Draw) -> Coins:
    """Coins of probability exp(-x), given coins of probability x in [0, 1] by index (algorithm 1)."""
    odd = np.ones(count, np.bool_)
    active, k = np.arange(count), 1
    while active.size:
        # A coin of probability x / k is a coin of x, and then one of 1 / k where the first succeeded.
        active = active[coin(active)]
        active = active[_coin(np.ones(active.size, np.int64), k, draw)] if k > 1 else active
        odd[active] ^= True
        k += 1
    return odd


def _and_then(first: Coins, active: Integers, second: Callable[[Integers], Coins]) -> Coins:
    """Whether both coins succeed; the second one is tossed only where the first one succeeded."""
    both = first.copy()
    both[first] = second(active[first])
    return both


def _coin(numerators: Integers, denominator: int, draw: Draw) -> Coins:
    """Coins of probability numerator / denominator: a uniform word below q * denominator against q * numerator."""
    q = ((1 << 64) - 1) // denominator
    words = _words_below(q * denominator, numerators.size, draw)
    return words < numerators.astype(np.uint64) * np.uint64(q)


def _words_below(bound: int, count: int, draw: Draw) -> Words:
    """Uniform words below `bound`, by rejection: a remainder would favour small words."""
    words = draw(count)
    late = np.flatnonzero(words >= np.uint64(bound))
    if late.size:
        # The keystream's words are read-only.
        words = words.copy()
    while late.size:
        words[late] = draw(late.size)
        late = late[words[late] >= np.uint64(bound)]
    return words
