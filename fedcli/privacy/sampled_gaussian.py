"""The distribution of the privacy loss of one sampled Gaussian release."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fedcli.core.privacy_events import RelationName

# dp-accounting has no type information.
PrivacyLoss: TypeAlias = Any
Floats: TypeAlias = npt.NDArray[np.float64]


def neighbours(relation: RelationName) -> Any:
    """dp-accounting's name of a relation."""
    from dp_accounting import NeighboringRelation

    return {
        "add-remove": NeighboringRelation.ADD_OR_REMOVE_ONE,
        "replace-one": NeighboringRelation.REPLACE_ONE,
        "zero-out": NeighboringRelation.REPLACE_SPECIAL,
    }[relation]


def sampled_gaussian(
    noise_multiplier: float, rate: float, relation: RelationName, *, interval: float
) -> PrivacyLoss:
    """Pessimistic distribution of the privacy loss, by connecting the dots (Doroshenko et al. 2022, arXiv:2207.04380).

    It is what dp-accounting's `from_gaussian_mechanism` returns, which finds where the loss exceeds each point of the
    grid in a loop of Python. That loop is most of the time of a calibration, so it is a few operations on arrays here.

    Args:
        noise_multiplier: z, above 0.
        rate: q, probability that a unit takes part, in (0, 1].
        relation: which federations are neighbours.
        interval: step of the grid of losses.
    """
    from dp_accounting.pld import pld_pmf
    from dp_accounting.pld import privacy_loss_distribution as pld
    from dp_accounting.pld.privacy_loss_mechanism import AdjacencyType, GaussianPrivacyLoss

    # Without sampling the loss is linear, and the library does not need long.
    if rate == 1:
        return pld.from_gaussian_mechanism(
            noise_multiplier,
            value_discretization_interval=interval,
            neighboring_relation=neighbours(relation),
        )
    sides = []
    one_sided = (AdjacencyType.REMOVE, AdjacencyType.ADD)
    for adjacency in (AdjacencyType.REPLACE,) if relation == "replace-one" else one_sided:
        loss = GaussianPrivacyLoss(noise_multiplier, sampling_prob=rate, adjacency_type=adjacency)
        bounds = loss.connect_dots_bounds()
        lower = math.floor(bounds.epsilon_lower / interval)
        upper = math.ceil(bounds.epsilon_upper / interval)
        epsilons = np.arange(lower, upper + 1) * interval
        if adjacency is AdjacencyType.REPLACE:
            cutoffs = _replaced(epsilons, noise_multiplier, rate)
            deltas = _divergence(loss, epsilons, cutoffs)
        else:
            deltas = _one_sided(loss, epsilons, rate, sign=1 if adjacency is AdjacencyType.REMOVE else -1)
        infinite, probabilities = _connected(deltas, interval)
        sides.append(pld_pmf.DensePLDPmf(interval, lower, probabilities, infinite, True))
    return pld.PrivacyLossDistribution(*sides)


def _connected(deltas: Floats, interval: float) -> tuple[float, Floats]:
    """The mass of an infinite loss and of each point of a grid, from the hockey-stick divergence at each point, [n].

    It is dp-accounting's `create_pmf_pessimistic_connect_dots_fixed_gap`, which makes several Python objects for each
    point: 600 MB where clients are sampled at a rate of 1e-5.
    """
    # They fall; where rounding lets one rise, those before it are raised, which only raises epsilon.
    deltas = np.maximum.accumulate(deltas[::-1])[::-1]
    steps, grown = np.diff(deltas), math.expm1(interval)
    if not steps.size:
        return float(deltas[0]), 1 - deltas
    first, last = 1 - deltas[0] + steps[0] / grown, steps[-1] / math.expm1(-interval)
    between = (steps[1:] - steps[:-1] * math.exp(interval)) / grown
    return float(deltas[-1]), np.maximum(0.0, np.concatenate([[first], between, [last]]))


def _one_sided(loss: PrivacyLoss, epsilons: Floats, rate: float, *, sign: int) -> Floats:
    """The hockey-stick divergence at each epsilon; `sign` is 1 where a unit is removed and -1 where one is added."""
    # With probability 1 - q the unit was not there, which bounds the loss on one side.
    inside = sign * epsilons > math.log1p(-rate)
    deltas = np.zeros_like(epsilons)
    if sign == 1:
        deltas[~inside] = -np.expm1(epsilons[~inside])
    # The loss without sampling: log(1 + (e^epsilon - 1) / q), which does not overflow in this form.
    raised = sign * epsilons[inside] - math.log(rate)
    # At the bound itself the argument is 0: the loss is reached nowhere.
    with np.errstate(divide="ignore"):
        unsampled = sign * (raised + np.log1p(-np.minimum(np.exp(math.log(1 / rate - 1) - raised), 1.0)))
    deltas[inside] = _divergence(loss, epsilons[inside], -sign / 2 - unsampled * loss.standard_deviation**2)
    return deltas


def _replaced(epsilons: Floats, noise_multiplier: float, rate: float) -> Floats:
    """Where the loss of a unit that is replaced by another is each epsilon."""
    log_alpha = 0.5 / noise_multiplier**2 + math.log1p(-rate) - math.log(rate)
    halved = np.abs(epsilons) / 2
    # log sinh(|epsilon| / 2), which does not overflow in this form; at 0 it is minus infinity, as intended.
    with np.errstate(divide="ignore"):
        term = log_alpha + halved + np.log1p(-np.exp(-2 * halved)) - math.log(2)
    # Beyond 20 asinh(y) is log(2 y) to the last digit.
    asinh = np.where(term > 20, term + math.log(2), np.arcsinh(np.exp(np.minimum(term, 20.0))))
    cutoffs: Floats = noise_multiplier**2 * (-np.sign(epsilons) * asinh - epsilons / 2)
    return cutoffs


def _divergence(loss: PrivacyLoss, epsilons: Floats, cutoffs: Floats) -> Floats:
    deltas = loss.mu_upper_cdf(cutoffs) - np.exp(epsilons + loss.mu_lower_log_cdf(cutoffs))
    clipped: Floats = np.clip(deltas, 0, 1)
    return clipped
