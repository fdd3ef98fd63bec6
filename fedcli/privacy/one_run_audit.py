"""One-run auditing: a lower bound on epsilon from guesses about canary clients.

An independent fair coin for each canary client decides which of two neighbouring federations it makes: it takes part
or not, or it sends one of two opposite updates. The auditor sees the released models and gives each canary a score. It
guesses heads for the highest scores and tails for the lowest, and abstains from the others. With a small epsilon such
guesses are hard, so many correct ones disprove the claim.

Reference: Steinke, Nasr, Jagielski 2023, arXiv:2305.08846.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError

_HIGHEST = 40.0  # no number of canaries tells e^-40 from 0


class Guesses(NamedTuple):
    """Numbers of guesses: heads for the highest scores, tails for the lowest; the auditor abstains from the others.

    A client that is rarely sampled leaves no trace whatever its coin was, so a low score says little about it; with
    `low` 0, only canaries that were seen are guessed.
    """

    high: int
    low: int

    @property
    def total(self) -> int:
        """Number of canaries for which a guess is made."""
        return self.high + self.low


class Audit(NamedTuple):
    """The result of an audit.

    Args:
        epsilon: lower bound on epsilon at the confidence; 0 says nothing.
        guesses: number of guesses that gave it.
        correct: number of those that were correct.
        largest: the bound if every guess were correct. These canaries cannot disprove a claim above it.
        canaries: number of canaries.
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
        """Whether a claim of `epsilon` is disproved; None if even correct guesses only could not have disproved it."""
        return None if self.largest <= epsilon else self.epsilon > epsilon


def audit(
    scores: npt.NDArray[np.float64],
    included: npt.NDArray[np.bool_],
    *,
    delta: float,
    confidence: float = 0.95,
    guesses: Sequence[Guesses] | None = None,
) -> Audit:
    """The best lower bound over several numbers of guesses, each tested at its share of the error.

    The numbers of guesses are fixed before the scores are seen, and the union bound pays for trying several.
    Reporting the best of them as if it were the only one would overstate the confidence.

    Args:
        scores: one per canary, higher if its coin seems to have been heads; shape [m].
        included: whether it was heads, by a fair coin that nothing else depends on; shape [m].
        delta: the delta of the claim, in [0, 1).
        confidence: probability that the bound holds, in (0, 1).
        guesses: numbers of guesses to try, each from 2 to m; None tries m, m / 2, m / 4, ... down to 16, half of them
            on each side.

    Raises:
        ConfigError: if the scores cannot be used.
    """
    count = _checked(scores, included, delta, confidence)
    tried = _halvings(count) if guesses is None else sorted(set(guesses))
    for each in tried or [Guesses(0, 0)]:
        if min(each) < 0 or not 2 <= each.total <= count:
            raise ConfigError(
                f"a number of guesses lies between 2 and the {count} canaries; received {each.total}.",
                key="guesses",
            )
    alone = 1 - (1 - confidence) / len(tried)  # union bound
    # Stable, so that the same scores give the same audit where some are equal.
    order = np.argsort(scores, kind="stable")
    found = []
    for each in tried:
        correct = correct_guesses(order, included, each)
        bound = lower_bound(count, each.total, correct, delta=delta, confidence=alone)
        found.append((bound, each.total, correct))
    epsilon, number, correct = max(found)
    largest = max(lower_bound(count, each.total, each.total, delta=delta, confidence=alone) for each in tried)
    return Audit(epsilon, number, correct, largest, count, confidence, delta)


def correct_guesses(order: npt.NDArray[np.int64], included: npt.NDArray[np.bool_], guesses: Guesses) -> int:
    """How many guesses are correct, of canaries in the order of their scores, ascending."""
    low, high = order[: guesses.low], order[order.size - guesses.high :]
    return int(np.count_nonzero(~included[low]) + np.count_nonzero(included[high]))


def lower_bound(canaries: int, guesses: int, correct: int, *, delta: float, confidence: float) -> float:
    """The largest epsilon at which `correct` or more correct guesses are less likely than 1 - confidence.

    Args:
        canaries: m, number of canaries.
        guesses: r, number of canaries for which a guess was made.
        correct: v, number of correct guesses.
        delta: the delta of the claim.
        confidence: of this one test.
    """
    if not 0 <= correct <= guesses <= canaries:
        raise ConfigError(
            f"{correct} correct of {guesses} guesses over {canaries} canaries is not possible.", key="correct"
        )
    low, high = 0.0, _HIGHEST
    # The p-value grows with epsilon: bisection finds where it passes the error.
    if p_value(canaries, guesses, correct, epsilon=low, delta=delta) > 1 - confidence:
        return 0.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        unlikely = p_value(canaries, guesses, correct, epsilon=middle, delta=delta) <= 1 - confidence
        low, high = (middle, high) if unlikely else (low, middle)
    return low


def p_value(canaries: int, guesses: int, correct: int, *, epsilon: float, delta: float) -> float:
    """Bound on the probability of `correct` or more correct guesses against any (epsilon, delta)-private mechanism.

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


def _halvings(count: int) -> list[Guesses]:
    numbers = []
    while count >= 16:
        numbers.append(Guesses(count - count // 2, count // 2))
        count //= 2
    return sorted(numbers)


def _checked(
    scores: npt.NDArray[np.float64], included: npt.NDArray[np.bool_], delta: float, confidence: float
) -> int:
    if scores.ndim != 1 or scores.shape != included.shape or scores.size < 16:
        raise ConfigError(
            f"an audit needs a score and a coin for each of at least 16 canaries; received {scores.shape} scores "
            f"and {included.shape} coins.",
            key="canaries",
        )
    # NaN is sorted after all numbers, as if such a canary had taken part for certain.
    if np.isnan(scores).any():
        raise ConfigError("a canary's score is not a number.", key="canaries")
    if not 0 <= delta < 1:
        raise ConfigError(f"delta lies in [0, 1); received {delta}.", key="delta")
    if not 0 < confidence < 1:
        raise ConfigError(f"a confidence lies in (0, 1); received {confidence}.", key="confidence")
    return int(scores.size)
