"""Discrete Gaussian noise that the clients add themselves, of which only the sum is ever decrypted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, logsumexp

from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import DistributedGaussianEvent, Sampling
from fedcli.privacy.excess import charged

# Whole orders, because the bound on sampling without replacement is for whole orders.
ORDERS = np.array([*range(2, 65), 80, 96, 128, 160, 192, 256, 384, 512, 768, 1024], dtype=np.float64)

Curve = npt.NDArray[np.float64]


def rounded_norm(norm: float, dimension: int, *, rounding: str = "nearest") -> float:
    """Bound on the L2 norm of a vector after its coordinates are rounded to whole numbers.

    Args:
        norm: bound on the norm before, in steps of the grid.
        dimension: number of coordinates.
        rounding: `nearest` moves a coordinate by at most 1/2, `stochastic` by less than 1.

    Reference: Kairouz et al. 2021, arXiv:2102.06387, Theorem 1, without its conditional rounding.
    """
    return norm + math.sqrt(dimension) * (0.5 if rounding == "nearest" else 1.0)


def departure_from_one_gaussian(share_deviation: float, contributors: int) -> float:
    """tau: how far a sum of discrete Gaussians is from one discrete Gaussian, in a coordinate.

    `tau = 10 sum_{k=1}^{n-1} exp(-2 pi^2 sigma^2 k / (k + 1))`. The terms fall towards exp(-2 pi^2 sigma^2), so
    that for many contributors the largest stands for those past the thousandth.

    Reference: Kairouz et al. 2021, arXiv:2102.06387, Corollary 12.
    """
    k = np.arange(1, min(contributors, 1000), dtype=np.float64)
    terms = np.exp(-2 * (math.pi * share_deviation) ** 2 * k / (k + 1))
    beyond = max(contributors - 1000, 0) * (terms[-1] if terms.size else 0.0)
    return float(10 * (terms.sum() + beyond))


def discrete_gaussian_rdp(event: DistributedGaussianEvent, sensitivity: float) -> Curve:
    """Renyi divergences at `ORDERS` of the guaranteed noise, for sums that differ by `sensitivity` steps.

    Reference: Kairouz et al. 2021, arXiv:2102.06387, Proposition 14.
    """
    shares = event.contributors - event.colluders
    tau, dimension = departure_from_one_gaussian(event.share_deviation, shares), event.dimension
    scale = sensitivity / (event.share_deviation * math.sqrt(shares))
    # Integer vectors: the L1 norm is at most the squared L2 norm, and at most sqrt(d) times the L2 norm.
    scale_l1 = scale * min(sensitivity, math.sqrt(dimension))
    apart = np.minimum(
        ORDERS / 2 * (scale**2 + 2 * scale_l1 * tau + tau**2 * dimension),
        ORDERS / 2 * (scale + math.sqrt(dimension) * tau) ** 2,
    )
    return np.minimum(apart, ORDERS / 2 * scale**2 + tau * dimension)


def without_replacement(curve: Curve, rate: float) -> Curve:
    """Renyi divergences at `ORDERS` of a mechanism on a sample of fixed size, from those of the mechanism.

    It takes upper bounds; what dp-accounting has for the same is for continuous Gaussians only.

    Args:
        curve: the mechanism's divergences at `ORDERS` under replace-one.
        rate: sample size over population.

    Reference: Wang et al. 2019, arXiv:1808.00087, Theorem 9, with its terms for an unbounded loss.
    """
    whole = np.arange(2, int(ORDERS[-1]) + 1, dtype=np.float64)
    # A divergence grows with its order, so that the next known order bounds those between.
    known = curve[np.searchsorted(ORDERS, whole)]
    log_terms = math.log(2) + (whole - 1) * known + whole * math.log(rate)
    second = min(math.log(4) + _log_expm1(known[0]), math.log(2) + known[0])
    log_terms[0] = second + 2 * math.log(rate)
    amplified = [_log_moment(log_terms, order) / (order - 1) for order in ORDERS]
    return np.minimum(amplified, curve)


def _log_moment(log_terms: Curve, order: float) -> float:
    j = np.arange(2, int(order) + 1, dtype=np.float64)
    binomials = gammaln(order + 1) - gammaln(j + 1) - gammaln(order - j + 1)
    return float(logsumexp([0.0, *(binomials + log_terms[: j.size])]))


def _log_expm1(value: float) -> float:
    return math.log(math.expm1(value)) if value < 50 else value


Epsilon = Callable[[int, float], float]


def distributed(event: DistributedGaussianEvent, sampling: Sampling) -> tuple[Epsilon, Epsilon]:
    """Epsilon against the coordinator, and against readers of the models; both `(releases, delta)` -> epsilon.

    The coordinator sees the cohort, so that sampling hides nothing from it, and colluders may tell it
    their noise. Readers of the models see neither. Cohorts of fixed size are accounted for under
    replace-one (twice the sensitivity), full ones under zero-out.

    Raises:
        ConfigError: for cohorts whose size varies: no number of shares could be guaranteed.
    """
    if sampling.scheme not in ("fixed", "full"):
        raise ConfigError(
            f"noise that clients add in shares needs a known number of them; the cohort is {sampling.scheme}.",
            key="cohort",
            hint="Use a uniform cohort (fixed size) or a full one.",
        )
    if event.contributors > sampling.size:
        raise ConfigError(
            f"{event.contributors} contributors of noise cannot be guaranteed by a cohort of {sampling.size}.",
            key="contributors",
            hint=f"Use at most {sampling.size} contributors, or a larger cohort.",
        )
    if event.share_deviation == 0:
        return _without_noise, _without_noise
    moved = event.sensitivity * (2 if sampling.scheme == "fixed" else 1)
    seen_by_coordinator = discrete_gaussian_rdp(event, moved)
    seen_by_readers = discrete_gaussian_rdp(replace(event, colluders=0), moved)
    if sampling.scheme == "fixed" and sampling.size < sampling.population:
        seen_by_readers = without_replacement(seen_by_readers, sampling.size / sampling.population)
    return (
        _composed(seen_by_coordinator, event.excess_probability),
        _composed(seen_by_readers, event.excess_probability),
    )


def _composed(curve: Curve, excess_probability: float) -> Epsilon:
    def epsilon(releases: int, delta: float) -> float:
        from dp_accounting.rdp import compute_epsilon

        if releases == 0:
            return 0.0
        total = curve * releases

        def at(allowed: float) -> float:
            return float(compute_epsilon(ORDERS, total, allowed)[0])

        return charged(at, delta, releases * excess_probability)

    return epsilon


def _without_noise(releases: int, _delta: float) -> float:
    return math.inf if releases else 0.0
