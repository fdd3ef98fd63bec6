"""Epsilon of releases that are composed, from the distribution of the privacy loss of one of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fedcli.privacy.sampled_gaussian import Floats, PrivacyLoss

_TRUNCATED = 1e-15
"""Mass of the tails that is cut off and counts as an infinite loss, as in dp-accounting."""


def composed_epsilon(loss: PrivacyLoss, count: int, delta: float) -> float:
    """Epsilon at `delta` of `count` releases.

    It is what dp-accounting's `self_compose` and `get_epsilon_for_delta` return. These look for the bounds of the sum
    by forty slow passes over all points, and for epsilon in a loop of Python. A million points take them seconds.

    Args:
        loss: dp-accounting's distribution of the loss of one release.
        count: releases, at least 1.
        delta: the probability that is left out of epsilon.
    """
    # The library has no public way to the points of a distribution.
    sides = [loss._pmf_remove] if loss._symmetric else [loss._pmf_remove, loss._pmf_add]
    return max(_epsilon_of_side(side.to_dense_pmf(), count, delta) for side in sides)


def _epsilon_of_side(points: Any, count: int, delta: float) -> float:
    probabilities, lowest = np.asarray(points._probs), points._lower_loss * count
    infinite = float(points._infinity_mass)
    if count > 1:
        # 1 - (1 - p)^n, in a form that keeps small p.
        infinite = _TRUNCATED - math.expm1(count * math.log1p(-infinite)) if infinite < 1 else 1.0
        first, probabilities = _convolved(probabilities, count)
        lowest += first
    if infinite > delta:
        return math.inf
    # Epsilon is at least 0, so that smaller losses do not count.
    start = max(0, -lowest)
    losses = np.arange(lowest + probabilities.size - 1, lowest + start - 1, -1) * points._discretization
    return _least_epsilon(losses, probabilities[start:][::-1], infinite, delta)


def _least_epsilon(losses: Floats, probabilities: Floats, infinite: float, delta: float) -> float:
    """The least epsilon for which the losses beyond it have a divergence of `delta` at most; losses fall to 0."""
    # Of the losses before each one: their mass under either of two neighbours.
    upper = infinite + np.concatenate([[0.0], np.cumsum(probabilities)])
    lower = np.concatenate([[0.0], np.cumsum(np.exp(-losses) * probabilities)])
    # Where the losses are so large that the other neighbour never has them, there is nothing to interpolate.
    alone = np.flatnonzero((upper[1:] >= delta) & (lower[1:] == 0))
    if alone.size:
        return float(losses[alone[0]])
    candidates = np.full(upper.size, -np.inf)
    is_above = (upper > delta) & (lower > 0)
    candidates[is_above] = np.log((upper[is_above] - delta) / lower[is_above])
    reached = np.flatnonzero(candidates[:-1] >= losses)
    return max(0.0, float(candidates[reached[0] if reached.size else -1]))


def _convolved(probabilities: Floats, count: int) -> tuple[int, Floats]:
    """The distribution of a sum of `count` draws from the points 0, 1, ...: its first point, and the probabilities."""
    # Here, because whatever plans an experiment imports this file, and most experiments have no noise to account for.
    from scipy import fft

    first, last = _bounds(probabilities, count)
    length = last - first + 1
    # As many as the longer one needs: what is beyond the bounds wraps around.
    padded = fft.next_fast_len(max(length, probabilities.size))
    # Not the transform for real numbers: its rounding differs, which a small delta would show.
    summed = np.real(fft.ifft(fft.fft(probabilities, padded) ** count))
    return first, np.roll(summed, -first)[:length]


def _bounds(probabilities: Floats, count: int) -> tuple[int, int]:
    """Bounds of that sum, outside of which it has a mass of 1e-15 at most, by Chernoff's inequality."""
    size = probabilities.size
    lowest, highest = 0, (size - 1) * count
    # Exponents of at most 20, so that nothing overflows.
    growth = np.exp(np.arange(size) / size)
    for factor, sign in ((growth, 1), (1 / growth, -1)):
        powers = np.ones(size)
        for order in range(1, 21):
            powers *= factor
            moment = float(probabilities @ powers)
            if moment <= 0:
                continue
            bound = (count * math.log(moment) + math.log(2 / _TRUNCATED)) * size / (sign * order)
            if sign > 0:
                highest = min(highest, math.ceil(bound))
            else:
                lowest = max(lowest, math.floor(bound))
    return lowest, highest
