"""One-run auditing: a lower bound on epsilon from how well canaries can be told apart from absent ones.

Canaries are made-up clients, each included by a fair coin of its own. Whoever sees the released models scores
each of them, and guesses for the highest scores that they were in, and for the lowest that they were not. A
mechanism of small epsilon makes such guesses hard; many right ones disprove its claim.

Steinke, Nasr, Jagielski 2023, arXiv:2305.08846. The bound is for the relation of the coins: a client there or not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError

_HIGHEST = 40.0  # e^-40 is far below what any number of canaries can tell from 0


class Audit(NamedTuple):
    """What an audit found.

    Args:
        epsilon: lower bound on epsilon, at the confidence; 0 says nothing.
        guesses: how many guesses gave it.
        correct: how many of them were right.
        largest: the bound that these canaries would give if every guess were right; a claim above it cannot
            be disproved by them.
        canaries: how many there were.
        confidence: probability that the bound holds, at least.
        delta: the delta of the claim.
    """

    epsilon: float
    guesses: int
    correct: int
    largest: float
    canaries: int
    confidence: float
    delta: float

    def disproves(self, epsilon: float) -> bool | None:
        """Whether a claim of `epsilon` is disproved; None where these canaries could not have disproved it."""
        return None if self.largest <= epsilon else self.epsilon > epsilon


def audit(
    scores: npt.NDArray[np.float64],
    included: npt.NDArray[np.bool_],
    *,
    delta: float,
    confidence: float = 0.95,
    guesses: Sequence[int] | None = None,
) -> Audit:
    """The best lower bound over several numbers of guesses, each tested at its share of the error.

    The numbers of guesses are fixed before the scores are looked at, and the union bound pays for trying
    several; to take the best of all thresholds as if it had been the only one would be dishonest.

    Args:
        scores: one a canary, higher where it seems to be in; shape [m].
        included: whether it was in, by a fair coin that nothing else depends on; shape [m].
        delta: the delta of the claim, in [0, 1).
        confidence: probability that the bound holds, in (0, 1).
        guesses: numbers of guesses to try, each from 2 to m; None takes m, m / 2, m / 4, ... down to 16.

    Raises:
        ConfigError: if the scores cannot be used.
    """
    count = _checked(scores, included, delta, confidence)
    tried = _halvings(count) if guesses is None else sorted(set(guesses))
    if not tried or tried[0] < 2 or tried[-1] > count:
        raise ConfigError(
            f"a number of guesses lies between 2 and the {count} canaries; received {tried}.", key="guesses"
        )
    each = 1 - (1 - confidence) / len(tried)
    order = np.argsort(scores, kind="stable")
    found = []
    for number in tried:
        low, high = order[: number // 2], order[count - (number - number // 2) :]
        correct = int(np.count_nonzero(~included[low]) + np.count_nonzero(included[high]))
        found.append((lower_bound(count, number, correct, delta=delta, confidence=each), number, correct))
    epsilon, number, correct = max(found)
    largest = max(lower_bound(count, number, number, delta=delta, confidence=each) for number in tried)
    return Audit(epsilon, number, correct, largest, count, confidence, delta)


def lower_bound(canaries: int, guesses: int, correct: int, *, delta: float, confidence: float) -> float:
    """Epsilon below which so many right guesses are less likely than 1 - confidence.

    Args:
        canaries: m, how many were included by a fair coin.
        guesses: r, for how many of them a guess was made.
        correct: v, how many of the guesses were right.
        delta: the delta of the claim.
        confidence: of this one test.
    """
    if not 0 <= correct <= guesses <= canaries:
        raise ConfigError(
            f"{correct} right of {guesses} guesses over {canaries} canaries is not possible.", key="correct"
        )
    low, high = 0.0, _HIGHEST
    if p_value(canaries, guesses, correct, epsilon=low, delta=delta) > 1 - confidence:
        return 0.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        unlikely = p_value(canaries, guesses, correct, epsilon=middle, delta=delta) <= 1 - confidence
        low, high = (middle, high) if unlikely else (low, middle)
    return low


def p_value(canaries: int, guesses: int, correct: int, *, epsilon: float, delta: float) -> float:
    """A bound on the probability of so many right guesses against any (epsilon, delta)-private mechanism.

    Without delta it is that of `guesses` coins of probability e^epsilon / (1 + e^epsilon). Delta adds
    `2 m delta max_i P[v - i <= coins < v] / i`.

    Reference: Steinke et al. 2023, arXiv:2305.08846, theorem 5.2 and its appendix D.
    """
    from scipy.stats import binom

    accuracy = 1 / (1 + math.exp(-epsilon))
    beta = float(binom.sf(correct - 1, guesses, accuracy))
    if delta == 0 or correct == 0:
        return min(beta, 1.0)
    just_below = np.cumsum(binom.pmf(np.arange(correct - 1, -1, -1), guesses, accuracy))
    alpha = float(np.max(just_below / np.arange(1, correct + 1)))
    return min(beta + 2 * canaries * delta * alpha, 1.0)


def _halvings(count: int) -> list[int]:
    numbers = []
    while count >= 16:
        numbers.append(count)
        count //= 2
    return sorted(numbers)


def _checked(
    scores: npt.NDArray[np.float64], included: npt.NDArray[np.bool_], delta: float, confidence: float
) -> int:
    if scores.ndim != 1 or scores.shape != included.shape or scores.size < 16:
        raise ConfigError(
            f"an audit needs one score and one coin for each of at least 16 canaries; received {scores.shape} "
            f"scores and {included.shape} coins.",
            key="canaries",
        )
    if np.isnan(scores).any():
        raise ConfigError("a canary's score is not a number.", key="canaries")
    if not 0 <= delta < 1:
        raise ConfigError(f"delta lies in [0, 1); received {delta}.", key="delta")
    if not 0 < confidence < 1:
        raise ConfigError(f"a confidence lies in (0, 1); received {confidence}.", key="confidence")
    return int(scores.size)
