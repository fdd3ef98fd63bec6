"""Epsilon of noise that is not used where it is too long to be proved of, which delta pays for."""

from __future__ import annotations

import math
from collections.abc import Callable


def charged(at: Callable[[float], float], delta: float, probability: float) -> float:
    """The least epsilon that is claimed at `delta`, where in some draws the noise was not used.

    That moves a law by at most eta in total variation, under both of two neighbours: delta grows by
    (1 + e^epsilon) eta. The claim is raised until it pays for that.

    Args:
        at: delta -> epsilon of the noise as it is drawn.
        delta: at which epsilon is stated.
        probability: eta, of noise that was not used in any of the releases.
    """
    claim = at(delta)
    while probability and math.isfinite(claim):
        claim *= 1 + 1e-6
        reduced = delta - (1 + math.exp(min(claim, 700.0))) * probability
        needed = at(reduced) if reduced > 0 else math.inf
        if needed <= claim:
            return claim
        claim = needed
    return claim
