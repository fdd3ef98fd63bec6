"""Epsilon and delta in plain words: what somebody who sees the released models can find out about one unit."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fedcli.core.privacy_events import RelationName, UnitName

# Above this epsilon the bound on a guess is so close to certainty that it promises nothing.
DEFENSIBLE = 10.0
# Above this one the best guess is right in more than 98 % of cases.
_HARDLY_A_PROMISE = 4.0


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


def percent(share: float, digits: int) -> str:
    """A share as a percentage that is rounded up, with more digits where it would read as all, though it is less."""
    for places in range(digits, 7):
        up = math.ceil(round(share * 100 * 10**places, 6)) / 10**places
        if up < 100:
            return f"{up:.{places}f} %"
    return "practically 100 %"


def meaning(epsilon: float, delta: float, unit: UnitName, relation: RelationName) -> Iterator[str]:
    """Sentences about what an epsilon guarantees to one unit.

    Args:
        epsilon: may be infinite.
        delta: at which it holds.
        unit: what is protected.
        relation: which two possibilities an observer tells apart: other data of one unit, or whether it took part.
    """
    one = "client" if unit == "client" else "example"
    if math.isinf(epsilon):
        yield f"nothing is promised: the releases may show with certainty what any {one} contributed"
        return
    is_replaced = relation == "replace-one"
    question = f"whether the data of one {one} are A or B" if is_replaced else f"whether one {one} took part"
    yield (
        f"somebody who asks {question}, holds both to be equally likely, and knows everything about all others, "
        f"guesses right from the releases with a probability of up to {percent(best_guess(epsilon, delta), 2)}; "
        "without them it is 50 %"
    )
    found = "of the cases of B" if is_replaced else "of those that did"
    yield (
        f"a test of {question} that raises a false alarm in 1 of 100 cases finds up to "
        f"{percent(most_found(epsilon, delta, 0.01), 1)} {found}"
    )
    yield (
        f"this may fail altogether with a probability of about {delta:g} (delta); it says nothing about what is true "
        f"of the population and is learned without the {one} too"
    )
    if epsilon > DEFENSIBLE:
        yield f"an epsilon above {DEFENSIBLE:g} is hard to defend: by itself it allows almost certain guesses"
    elif epsilon > _HARDLY_A_PROMISE:
        yield (
            f"an epsilon above {_HARDLY_A_PROMISE:g} is hardly a promise against somebody who knows that much: what "
            "protects beyond it is what an observer does not know"
        )
