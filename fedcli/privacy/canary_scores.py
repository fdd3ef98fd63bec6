"""Scores of canaries: the likelihood ratio of an observer who knows the noise's covariance over rounds."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

# Below the signal by so much, noise is as good as none, and its covariance could not be inverted.
_LEAST = 1e-6


def canary_scores(
    heard: Floats,
    noise: Floats,
    *,
    signal: Floats,
    turns: npt.NDArray[np.bool_],
    chance: float,
    is_replaced: bool,
) -> Floats:
    """log P(heard | heads) - log P(heard | tails) of each canary, shape [m].

    The noise's covariance is measured on coordinates that no canary uses, so that noise of every mechanism is
    understood, also noise that is correlated over rounds. With sampling, the turns of a canary are taken to be
    independent of each other, as they are for every mechanism that sampling amplifies.

    Args:
        heard: what was released in each canary's coordinate, shape [rounds, m].
        noise: what was released in coordinates without a canary, shape [rounds, c], with more coordinates than rounds.
        signal: what a canary adds in each round in which it is present, shape [rounds].
        turns: whether a canary could be present, shape [rounds, m].
        chance: probability that it is present if it could be.
        is_replaced: whether tails is the opposite signal, instead of none.
    """
    least = _LEAST * float(np.abs(signal).max(initial=0.0)) + np.finfo(np.float64).tiny ** 0.25
    covariance = noise @ noise.T / noise.shape[1] + least**2 * np.eye(noise.shape[0])
    precision = np.linalg.inv(covariance)
    matched, sent = precision @ heard, signal[:, None] * turns
    if chance == 1.0:
        scores: Floats = np.sum(sent * matched, axis=0)
        return 2 * scores if is_replaced else scores - np.sum(sent * (precision @ sent), axis=0) / 2
    along, energy = sent * matched, sent**2 * np.diag(precision)[:, None] / 2
    present, absent = math.log(chance), math.log1p(-chance)
    ratios: Floats = np.logaddexp(absent, present + along - energy)
    if is_replaced:
        ratios -= np.logaddexp(absent, present - along - energy)
    summed: Floats = ratios.sum(axis=0)
    return summed
