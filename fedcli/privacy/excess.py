"""Adds to delta the probability that noise was discarded because its norm exceeded the provable bound."""

from __future__ import annotations

import math
from collections.abc import Callable


def charged(at: Callable[[float], float], delta: float, probability: float) -> float:
    """The least epsilon that can be claimed at `delta` if the noise is discarded with some probability.

    Discarding moves the distribution of the output by at most eta in total variation, for each of two neighbouring
    federations. So delta grows by (1 + e^epsilon) eta. The result is the least epsilon for which the noise, together
    with this addition, stays within `delta`.

    Args:
        at: delta -> epsilon of the noise as it is drawn.
        delta: at which epsilon is stated.
        probability: eta, that noise was discarded in any of the releases.
    """
    claim = at(delta)
    while probability and math.isfinite(claim):
        # A little more than needed, because claims that only approach the answer would never reach it.
        claim *= 1 + 1e-6
        # Beyond 700 the exponential overflows, and any such claim is worthless anyway.
        reduced = delta - (1 + math.exp(min(claim, 700.0))) * probability
        # If the discarded noise uses up delta, no finite epsilon is left to claim.
        needed = at(reduced) if reduced > 0 else math.inf
        if needed <= claim:
            return claim
        claim = needed
    return claim
