"""Plan of an audit before it runs: how many guesses it tries, and the best that it could show.

The plan rehearses the audit with coins and scores that are drawn here. Of the run it uses the rounds of the canaries
(`CanaryTurns`), which are drawn without regard to their coins, and nothing that the run releases. The audit's
confidence does not suffer from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fedcli.privacy.one_run_audit import Guesses, audit, correct_guesses, p_value

Coins = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]

# An audit should notice noise that is too small by these factors, or missing.
_TOO_SMALL = (2.0, 3.0)
_REHEARSALS = 3
_FEWEST = 16


class CanaryTurns(NamedTuple):
    """What an auditor knows about the turns of the canaries.

    Args:
        attends: whether a canary is in the cohort of a round; shape [rounds, m].
        turns: whether it could be, as everybody knows; shape [rounds, m].
        chance: probability that a canary is in the cohort of a round in which it could be.
        is_replaced: whether the coin decides between two opposite updates, and not between an update and none.
    """

    attends: Coins
    turns: Coins
    chance: float
    is_replaced: bool


def together(presences: Sequence[CanaryTurns]) -> CanaryTurns:
    """The turns of the canaries of several runs of one experiment."""
    return presences[0]._replace(
        attends=np.concatenate([each.attends for each in presences], axis=1),
        turns=np.concatenate([each.turns for each in presences], axis=1),
    )


class GuessPlan(NamedTuple):
    """Numbers of guesses to try, and the largest lower bound on epsilon that they could give.

    Args:
        guesses: numbers of guesses, for `audit`.
        best: the bound without any noise. An absent canary leaves no trace even then.
        noticed: for noise that is too small by a factor, the share of rehearsals that disprove the claim; empty where
            the claim is out of reach.
    """

    guesses: tuple[Guesses, ...]
    best: float
    noticed: Mapping[float, float] = MappingProxyType({})


def guess_plan(
    presence: CanaryTurns,
    *,
    claim: float,
    delta: float,
    noise_multiplier: float,
    confidence: float,
    rng: np.random.Generator,
) -> GuessPlan:
    """The numbers of guesses that disprove a claim best if its noise is missing, half or a third.

    Args:
        presence: the turns of the canaries.
        claim: epsilon, which may be infinite.
        delta: the delta of the claim.
        noise_multiplier: noise deviation over what one canary adds to a sum.
        confidence: of the audit.
        rng: draws the rehearsals' coins and noise.
    """
    count, seen = presence.attends.shape[1], presence.attends.any(axis=0)
    coins = rng.integers(0, 2, count).astype(bool)
    trace = np.where(coins, 1.0, -1.0 if presence.is_replaced else 0.0) * seen
    # Where nothing was seen, the order is by chance, as it is with the least noise.
    noiseless = trace + 1e-6 * rng.normal(size=count)

    def bound(*guesses: Guesses) -> float:
        return audit(noiseless, coins, delta=delta, confidence=confidence, guesses=guesses).epsilon

    without_noise = max(_certain(int(np.count_nonzero(seen))), key=bound)
    found, best = {without_noise}, bound(without_noise)
    rehearsals: dict[float, list[tuple[Scores, Coins]]] = {}
    # Against a claim that is out of reach, more numbers of guesses would only cost confidence.
    if 0 < claim < best:
        for factor in _TOO_SMALL:
            rehearsals[factor] = [
                _rehearsal(presence, claim, delta, noise_multiplier, factor=factor, rng=rng)
                for _ in range(_REHEARSALS)
            ]
            found.add(_best_guesses(rehearsals[factor], claim, delta))
        best = bound(*found)
    guesses = tuple(sorted(found))

    def is_noticed(scores: Scores, coins: Coins) -> bool:
        return audit(scores, coins, delta=delta, confidence=confidence, guesses=guesses).epsilon > claim

    noticed = {
        factor: sum(is_noticed(*each) for each in rehearsed) / len(rehearsed)
        for factor, rehearsed in rehearsals.items()
    }
    return GuessPlan(guesses, best, noticed)


def _certain(seen: int) -> list[Guesses]:
    """Numbers of guesses that can all be correct without noise, for so many canaries that are ever seen."""
    # Half of them are heads, and hardly ever fewer than by three standard deviations.
    most = max(_FEWEST // 2, int(seen / 2 - 1.5 * math.sqrt(seen)))
    numbers = [max(_FEWEST // 2, most >> halvings) for halvings in range(4)]
    return [Guesses(number, low) for number in numbers for low in (0, number)]


def _rehearsal(
    presence: CanaryTurns,
    claim: float,
    delta: float,
    noise_multiplier: float,
    *,
    factor: float,
    rng: np.random.Generator,
) -> tuple[Scores, Coins]:
    """Scores and coins of an audit of noise that is too small by a factor."""
    count = presence.attends.shape[1]
    coins = rng.integers(0, 2, count).astype(bool)
    if presence.chance == 1.0 or noise_multiplier == 0:
        # All turns together are about as much as one Gaussian release, however noise is correlated over rounds.
        return coins * factor * _gaussian_shift(claim, delta) + rng.normal(size=count), coins
    shift, log_in, log_out = (
        factor / noise_multiplier,
        math.log(presence.chance),
        math.log1p(-presence.chance),
    )
    scores = np.zeros(count)
    signs = np.where(coins, 1.0, -1.0 if presence.is_replaced else 0.0)
    for attends, turn in zip(presence.attends, presence.turns, strict=True):
        y = shift * signs * attends + rng.normal(size=count)
        ratio = np.logaddexp(log_out, log_in + shift * y - shift**2 / 2)
        if presence.is_replaced:
            ratio -= np.logaddexp(log_out, log_in - shift * y - shift**2 / 2)
        scores += turn * ratio
    return scores, coins


def _gaussian_shift(epsilon: float, delta: float) -> float:
    """The mu of the Gaussian release that has this epsilon and delta, by bisection.

    Reference: Balle and Wang 2018, arXiv:1805.06530, theorem 8.
    """
    from scipy.special import log_ndtr

    low, high = 0.0, 100.0
    while high - low > 1e-6:
        mu = (low + high) / 2
        first = log_ndtr(mu / 2 - epsilon / mu)
        second = epsilon + log_ndtr(-mu / 2 - epsilon / mu)
        spent = math.exp(first) - math.exp(second) if second < first else 0.0
        low, high = (low, mu) if spent > delta else (mu, high)
    return low


def _best_guesses(rehearsed: Sequence[tuple[Scores, Coins]], claim: float, delta: float) -> Guesses:
    """The numbers of guesses that make the claim least likely, on average over the rehearsals."""
    count = rehearsed[0][0].size
    ordered = [(np.argsort(scores), coins) for scores, coins in rehearsed]

    def surprise(guesses: Guesses) -> tuple[float, float]:
        correct = sum(correct_guesses(order, coins, guesses) for order, coins in ordered) / len(ordered)
        likely = p_value(count, guesses.total, int(correct), epsilon=claim, delta=delta)
        # Where the delta alone makes up the p-value, more correct guesses are better.
        return likely, -correct

    return min(_candidates(count), key=surprise)


def _candidates(count: int) -> Iterator[Guesses]:
    number = float(count // 2)
    while number >= _FEWEST / 2:
        yield Guesses(int(number), int(number))
        if number >= _FEWEST:
            yield Guesses(int(number), 0)
        number /= math.sqrt(2)
