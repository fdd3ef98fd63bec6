"""Who masks with whom: few neighbours where there are many parties.

Bell, Bonawitz, Gascon, Lepoint and Raykova 2020 (SecAgg+, ePrint 2020/704), semi-honest: a Harary graph, each party
joined to the k/2 nearest on either side of a random circle. k is the least, and the sharing's threshold t
the highest, for which each of three events has a probability below 2^-42, together below 2^-40, over all parties:

- a party has t or more corrupt neighbours, so that its mask can be taken off;
- fewer than t of a party's neighbours stay to the end, so that the sum cannot be opened;
- the honest parties that stay fall into two groups, whose sums would be seen apart: at most
  n (corrupt + dropped)^(k/2).

Where no such k below n - 1 exists, everybody is everybody's neighbour, and the first two become certain counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fedcli.core.errors import ConfigError
from fedcli.crypto.bfv.residues import shake_stream

_EVENT = 2.0**-42


@dataclass(frozen=True)
class MaskPlan:
    """Parameters of masking; public.

    Args:
        num_parties: n, numbered from 0.
        num_neighbours: k of each party.
        threshold: t, neighbours whose shares open what a party had shared.
        most_dropped: parties that may be lost.
        most_corrupt: parties that may be in league with who adds.
        largest_value: of one summand, as an absolute value.
        largest_sum: of all, as an absolute value.
        modulus_bits: 32 or 64; sums are modulo 2^modulus_bits.
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
        """Bytes that an integer becomes."""
        return self.modulus_bits / 8


def plan_masking(
    num_parties: int, *, bits: int, noise_tail: int = 0, dropped: float = 0.2, corrupt: float = 0.2
) -> MaskPlan:
    """Parameters for sums under pairwise masks.

    Args:
        num_parties: n, at least 3.
        bits: a summand lies in [-2^bits, 2^bits], before noise.
        noise_tail: the largest absolute value of the noise in the sum; see `plans.gaussian_tail`.
        dropped: share of parties that may be lost.
        corrupt: share of parties that may be in league with who adds.

    Raises:
        ConfigError: if no graph holds, or sums do not fit in 64 bits.
    """
    if num_parties < 3:
        raise ConfigError(
            f"masking takes at least 3 parties; received {num_parties}.",
            key="num_parties",
            hint="With two, each would learn the other's value from the sum.",
        )
    if not (0 <= dropped < 1 and 0 <= corrupt < 1):
        raise ConfigError(
            f"dropped and corrupt lie in [0, 1); received {dropped} and {corrupt}.", key="dropped"
        )
    if bits < 1 or noise_tail < 0:
        raise ConfigError(f"bits is at least 1; received {bits}.", key="bits")
    largest_sum = (num_parties << bits) + noise_tail
    if largest_sum >= 1 << 62:
        raise ConfigError(
            f"a sum of {num_parties} summands of {bits} bits does not fit in 63 bits.",
            key="bits",
            hint="Use fewer bits.",
        )
    most_dropped, most_corrupt = math.floor(dropped * num_parties), math.floor(corrupt * num_parties)
    neighbours, threshold = _sizes(num_parties, most_dropped, most_corrupt)
    return MaskPlan(
        num_parties=num_parties,
        num_neighbours=neighbours,
        threshold=threshold,
        most_dropped=most_dropped,
        most_corrupt=most_corrupt,
        largest_value=(1 << bits) + noise_tail,
        largest_sum=largest_sum,
        modulus_bits=32 if 2 * largest_sum < 1 << 32 else 64,
    )


def neighbours(plan: MaskPlan, seed: bytes) -> tuple[tuple[int, ...], ...]:
    """Each party's neighbours, ascending.

    Args:
        plan: says how many.
        seed: of the circle; public, drawn after the corrupt parties are what they are.
    """
    n, half = plan.num_parties, plan.num_neighbours // 2
    if plan.num_neighbours == n - 1:
        return tuple(tuple(other for other in range(n) if other != party) for party in range(n))
    circle = np.argsort(shake_stream(b"circle" + seed)(n), kind="stable")
    steps = [step for step in range(-half, half + 1) if step]
    joined: list[tuple[int, ...]] = [()] * n
    for place, party in enumerate(circle):
        joined[party] = tuple(sorted(int(circle[(place + step) % n]) for step in steps))
    return tuple(joined)


def _sizes(num_parties: int, dropped: int, corrupt: int) -> tuple[int, int]:
    others = num_parties - 1
    for count in range(2, others, 2):
        if num_parties * ((dropped + corrupt) / num_parties) ** (count / 2) >= _EVENT:
            continue
        # As high as drop-outs allow: more corrupt parties than planned for still learn nothing.
        for threshold in range(count, 1, -1):
            if num_parties * _at_least(count - threshold + 1, count, dropped, others) < _EVENT:
                if num_parties * _at_least(threshold, count, corrupt, others) < _EVENT:
                    return count, threshold
                break
    threshold = max(2, corrupt + 1)
    if threshold > others - dropped or num_parties - dropped - corrupt < 2:
        raise ConfigError(
            f"masking cannot stand {dropped} dropped and {corrupt} corrupt of {num_parties} parties: a party's "
            f"{others} neighbours must leave more than the corrupt ones when some are lost.",
            key="dropped",
            hint="Plan with smaller shares of dropped or corrupt parties.",
        )
    return others, others - dropped


def _at_least(least: int, drawn: int, marked: int, total: int) -> float:
    """The probability that `drawn` of `total` things, of which some are marked, hold at least `least` marked ones."""
    marked = min(marked, total)
    ways = sum(
        math.comb(marked, count) * math.comb(total - marked, drawn - count)
        for count in range(least, min(drawn, marked) + 1)
    )
    return ways / math.comb(total, drawn)
