"""Graph of the parties that mask with each other, and the parameters of masking.

In a large group each party needs only a few neighbours, which keeps the work of a party small. The graph is that of
SecAgg+ in the semi-honest model (Bell, Bonawitz, Gascon, Lepoint and Raykova 2020, ePrint 2020/704): a Harary graph in
which each party is joined to the k/2 nearest parties on either side of a random circle. k is the smallest number of
neighbours, and t the highest threshold of the sharing, such that each of three events has a probability below 2^-42
over all parties, and all together below 2^-40:

- A party has t or more corrupt neighbours, so its mask can be removed.
- Fewer than t neighbours of a party stay to the end, so the sum cannot be unmasked.
- The honest parties that stay fall into two groups, and the server can see the sum of each group. The probability of
  this is at most n (corrupt + dropped)^(k/2).

If there is no such k below n - 1, all parties are neighbours, and the first two events can be excluded by counting.
With fewer than 64 parties this is always so: the probabilities say little about a handful of parties, and a sparse
graph would save little work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.residues import shake_stream

_EVENT = 2.0**-42

_FEWEST_FOR_SPARSE = 64
"""With fewer parties than this, everybody masks with everybody."""


@dataclass(frozen=True)
class MaskPlan:
    """Parameters of masking; public.

    Args:
        num_parties: n; parties are numbered from 0.
        num_neighbours: k, the neighbours of each party.
        threshold: t, the number of neighbours whose shares recover a party's secret.
        most_dropped: largest number of parties that may be lost.
        most_corrupt: largest number of parties that may collude with the server, at least 1.
        largest_value: largest absolute value in one summand.
        largest_sum: largest absolute value in the sum.
        modulus_bits: 32 or 64; sums are computed modulo 2^modulus_bits.
    """

    num_parties: int
    num_neighbours: int
    threshold: int
    most_dropped: int
    most_corrupt: int
    largest_value: int
    largest_sum: int
    modulus_bits: int

    @property
    def bytes_per_value(self) -> float:
        """Masked bytes for each integer."""
        return self.modulus_bits / 8


def plan_masking(
    num_parties: int, *, bits: int, noise_tail: int = 0, dropped: float = 0.2, corrupt: float = 0.2
) -> MaskPlan:
    """Parameters for sums under pairwise masks.

    Args:
        num_parties: n, at least 3.
        bits: the values of a summand lie in [-2^bits, 2^bits], before noise.
        noise_tail: largest absolute value of the noise in the sum; see `bfv.plans.gaussian_tail`.
        dropped: share of parties that may be lost.
        corrupt: share of parties that may collude with the server; rounded up to a number of at least 1.

    Raises:
        ConfigError: if no graph is safe enough, or sums do not fit in 63 bits.
    """
    if num_parties < 3:
        raise ConfigError(
            f"masking needs at least 3 parties; received {num_parties}.",
            key="num_parties",
            hint="With two parties, each would learn the other's value from the sum.",
        )
    if not (0 <= dropped < 1 and 0 <= corrupt < 1):
        raise ConfigError(
            f"dropped and corrupt must lie in [0, 1); received {dropped} and {corrupt}.", key="dropped"
        )
    if bits < 1 or noise_tail < 0:
        raise ConfigError(
            f"bits must be at least 1, and the noise tail must not be negative; received {bits} and {noise_tail}.",
            key="bits",
        )
    largest_sum = (num_parties << bits) + noise_tail
    if largest_sum >= 1 << 62:
        raise ConfigError(
            f"a sum of {num_parties} summands of {bits} bits does not fit in 63 bits.",
            key="bits",
            hint="Use fewer bits.",
        )
    # Up, because rounding down would assume of a few parties that none colludes. The inner rounding removes what
    # binary fractions add: 0.07 of 100 are 7.
    most_corrupt = max(1, math.ceil(round(corrupt * num_parties, 9)))
    most_dropped = math.floor(dropped * num_parties)
    num_neighbours, threshold = _sizes(num_parties, most_dropped, most_corrupt)
    return MaskPlan(
        num_parties=num_parties,
        num_neighbours=num_neighbours,
        threshold=threshold,
        most_dropped=most_dropped,
        most_corrupt=most_corrupt,
        largest_value=(1 << bits) + noise_tail,
        largest_sum=largest_sum,
        # Twice the largest sum, since sums have either sign.
        modulus_bits=32 if 2 * largest_sum < 1 << 32 else 64,
    )


def neighbours(plan: MaskPlan, seed: bytes) -> tuple[tuple[int, ...], ...]:
    """The neighbours of each party, ascending.

    Args:
        plan: parameters of masking.
        seed: seed of the circle; public. It must be drawn after the corrupt parties are fixed, so that they cannot
            choose their neighbours.
    """
    n, half = plan.num_parties, plan.num_neighbours // 2
    if plan.num_neighbours == n - 1:
        return tuple(tuple(other for other in range(n) if other != party) for party in range(n))
    # Sorting random words, with a stable sort: every party derives the same circle from the seed.
    circle = np.argsort(shake_stream(b"circle" + seed)(n), kind="stable")
    steps = [step for step in range(-half, half + 1) if step]
    joined: list[tuple[int, ...]] = [()] * n
    for place, party in enumerate(circle):
        joined[party] = tuple(sorted(int(circle[(place + step) % n]) for step in steps))
    return tuple(joined)


def _sizes(num_parties: int, dropped: int, corrupt: int) -> tuple[int, int]:
    """Number of neighbours and threshold."""
    others = num_parties - 1
    for count in range(2, others if num_parties >= _FEWEST_FOR_SPARSE else 0, 2):
        # The remaining honest parties would fall into two groups.
        if num_parties * ((dropped + corrupt) / num_parties) ** (count / 2) >= _EVENT:
            continue
        # The highest threshold that the planned drop-outs allow: if more parties than planned are corrupt, they still
        # learn nothing.
        for threshold in range(count, 1, -1):
            if num_parties * _at_least(count - threshold + 1, count, dropped, others) < _EVENT:
                if num_parties * _at_least(threshold, count, corrupt, others) < _EVENT:
                    return count, threshold
                break
    threshold = max(2, corrupt + 1)
    if threshold > others - dropped or num_parties - dropped - corrupt < 2:
        raise ConfigError(
            f"masking cannot tolerate {dropped} dropped and {corrupt} corrupt of {num_parties} parties: of a party's "
            f"{others} neighbours, more than the corrupt ones must remain after the planned drop-outs.",
            key="dropped",
            hint="Plan with smaller shares of dropped or corrupt parties.",
        )
    return others, others - dropped


def _at_least(least: int, drawn: int, marked: int, total: int) -> float:
    """Probability that `drawn` of `total` items hold at least `least` of the `marked` ones (hypergeometric)."""
    marked = min(marked, total)
    ways = sum(
        math.comb(marked, count) * math.comb(total - marked, drawn - count)
        for count in range(least, min(drawn, marked) + 1)
    )
    return ways / math.comb(total, drawn)
