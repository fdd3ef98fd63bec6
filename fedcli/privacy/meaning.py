"""Epsilon and delta in plain words: what somebody who sees the released models can find out about one unit."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fedcli.core.privacy_events import UnitName

# Above this epsilon the bound on a guess is so close to certainty that it promises nothing.
DEFENSIBLE = 10.0


def best_guess(epsilon: float, delta: float) -> float:
    """Largest probability of guessing right, from the releases, which of two neighbouring federations it was.

    `(e^epsilon + delta) / (1 + e^epsilon)`, if both were equally likely before (Kairouz et al. 2015,
    arXiv:1311.0776).
    """
    # Written so that a large epsilon does not overflow.
    return min(1.0, (1 + delta * math.exp(-epsilon)) / (1 + math.exp(-epsilon)))


def most_found(epsilon: float, delta: float, false_alarms: float) -> float:
    """Largest share of true members that a test finds whose share of false alarms is given (the same reference)."""
    grown = math.exp(min(epsilon, 700.0)) * false_alarms + delta
    return min(1.0, grown, 1 - math.exp(-epsilon) * (1 - delta - false_alarms))


def meaning(epsilon: float, delta: float, unit: UnitName) -> Iterator[str]:
    """Sentences about what an epsilon guarantees to one unit."""
    one = "client" if unit == "client" else "example"
    if math.isinf(epsilon):
        yield f"nothing is promised: the releases may show with certainty what any {one} contributed"
        return
    yield (
        f"somebody who holds two possibilities for one {one} to be equally likely, and knows everything about all "
        f"others, guesses right from the releases with a probability of at most {best_guess(epsilon, delta):.2%}; "
        "without them it is 50 %"
    )
    yield (
        f"a test for one {one} that raises a false alarm in 1 of 100 cases finds at most "
        f"{most_found(epsilon, delta, 0.01):.1%} of those that are there"
    )
    yield (
        f"this may fail altogether with a probability of about {delta:g} (delta); it says nothing about what is true "
        f"of the population and is learned without the {one} too"
    )
    if epsilon > DEFENSIBLE:
        yield f"an epsilon above {DEFENSIBLE:g} is hard to defend: by itself it allows almost certain guesses"
