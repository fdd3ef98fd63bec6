"""Discrete Gaussian noise that clients add in shares: only the sum of a cohort has all of it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError
from fedcli.core.privacy_events import DistributedGaussianEvent, RelationName
from fedcli.core.sampling_scheme import Sampling
from fedcli.privacy.accountant import READERS, Accountant, Epsilon
from fedcli.privacy.composition import DpEvent
from fedcli.privacy.excess import charged
from fedcli.privacy.fixed_size_sample import log_moment
from fedcli.privacy.mechanism import PrivacyMechanism

# Whole orders, because the bound on sampling without replacement is for whole orders.
ORDERS = np.array([*range(2, 65), 80, 96, 128, 160, 192, 256, 384, 512, 768, 1024], dtype=np.float64)

# Without sampling the divergences are known at any order, and those near 1 are the best where epsilon is large.
FINE_ORDERS = np.unique([*(1 + np.geomspace(0.01, 1.0, 100)), *np.linspace(2, 64, 249), *ORDERS])

Curve = npt.NDArray[np.float64]

OUTSIDERS = f"{READERS} who take part in none"
PARTICIPANTS = "a client that takes part and reads the models: it knows its own share of the noise"


def departure_from_one_gaussian(share_deviation: float, contributors: int) -> float:
    """tau: distance of a sum of discrete Gaussians from one discrete Gaussian, in one coordinate.

    `tau = 10 sum_{k=1}^{n-1} exp(-2 pi^2 sigma^2 k / (k + 1))`. The terms fall towards exp(-2 pi^2 sigma^2), so
    the thousandth term bounds all later ones.

    Reference: Kairouz et al. 2021, arXiv:2102.06387, Corollary 12.
    """
    k = np.arange(1, min(contributors, 1000), dtype=np.float64)
    terms = np.exp(-2 * (math.pi * share_deviation) ** 2 * k / (k + 1))
    beyond = max(contributors - 1000, 0) * (terms[-1] if terms.size else 0.0)
    return float(10 * (terms.sum() + beyond))


def discrete_gaussian_rdp(
    event: DistributedGaussianEvent, sensitivity: float, orders: Curve = ORDERS
) -> Curve:
    """Renyi divergences at `orders` between two sums with the guaranteed noise that differ by `sensitivity` steps.

    Reference: Kairouz et al. 2021, arXiv:2102.06387, Proposition 14.
    """
    shares = event.contributors - event.colluders
    tau = departure_from_one_gaussian(event.share_deviation, shares)
    scale = sensitivity / (event.share_deviation * math.sqrt(shares))
    apart = orders * _concentrated(event, sensitivity)
    return np.minimum(apart, orders / 2 * scale**2 + tau * event.dimension)


def _concentrated(event: DistributedGaussianEvent, sensitivity: float) -> float:
    """rho of zero-concentrated differential privacy of one release: half the square of Proposition 14's epsilon."""
    shares, dimension = event.contributors - event.colluders, event.dimension
    tau = departure_from_one_gaussian(event.share_deviation, shares)
    scale = sensitivity / (event.share_deviation * math.sqrt(shares))
    # Integer vectors: the L1 norm is at most the squared L2 norm, and at most sqrt(d) times the L2 norm.
    scale_l1 = scale * min(sensitivity, math.sqrt(dimension))
    together = scale**2 + 2 * scale_l1 * tau + tau**2 * dimension
    return min(together, (scale + math.sqrt(dimension) * tau) ** 2) / 2


def without_replacement(curve: Curve, rate: float) -> Curve:
    """Renyi divergences at `ORDERS` of a mechanism on a sample of fixed size, from those of the mechanism.

    The input may be upper bounds. dp-accounting supports this for continuous Gaussians only.

    Args:
        curve: the mechanism's divergences at `ORDERS` under replace-one.
        rate: sample size over population.

    Reference: Wang et al. 2019, arXiv:1808.00087, Theorem 9, with its terms for an unbounded loss.
    """
    whole = np.arange(2, int(ORDERS[-1]) + 1, dtype=np.float64)
    # A divergence grows with its order, so the next known order bounds those between.
    known = curve[np.searchsorted(ORDERS, whole)]
    log_terms = math.log(2) + (whole - 1) * known + whole * math.log(rate)
    second = min(math.log(4) + _log_expm1(known[0]), math.log(2) + known[0])
    log_terms[0] = second + 2 * math.log(rate)
    amplified = [log_moment(log_terms, order) / (order - 1) for order in ORDERS]
    # Sampling never costs privacy, but this bound on it may exceed the divergence without sampling.
    return np.minimum(amplified, curve)


def _log_expm1(value: float) -> float:
    # Beyond 50 the difference is below float64's precision, and expm1 will overflow at 710.
    return math.log(math.expm1(value)) if value < 50 else value


def distributed(event: DistributedGaussianEvent, sampling: Sampling) -> list[Accountant]:
    """Renyi accounting against the coordinator, with epsilons of their own against two kinds of readers of the models.

    The coordinator sees the cohort, so sampling hides nothing from it, and colluders may tell it their noise.
    Readers of the models see neither. A reader that is itself a client knows its own share of the noise and the rounds
    of its own. Cohorts of fixed size are accounted for under replace-one (twice the sensitivity), full ones under
    zero-out or replace-one.

    Raises:
        ConfigError: for cohorts whose size varies: no number of shares could be guaranteed.
    """
    if not sampling.has_fixed_size:
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
    relations: tuple[RelationName, ...] = (
        ("replace-one",) if sampling.scheme == "fixed" else ("zero-out", "replace-one")
    )
    return [_under(relation, event, sampling) for relation in relations]


def _under(relation: RelationName, event: DistributedGaussianEvent, sampling: Sampling) -> Accountant:
    # A client that is replaced by another moves the sum by two norms.
    moved = event.sensitivity * (2 if relation == "replace-one" else 1)

    def curve(colluders: int, others: int) -> tuple[Curve, Curve]:
        known = replace(event, colluders=colluders)
        if sampling.scheme == "fixed" and sampling.size < others:
            once = discrete_gaussian_rdp(known, moved)
            return ORDERS, without_replacement(once, sampling.size / others)
        return FINE_ORDERS, discrete_gaussian_rdp(known, moved, FINE_ORDERS)

    def composed(releases: int) -> DpEvent:
        import dp_accounting as dp

        # dp-accounting has no such event, so that the ledger states fedcli's own.
        return dp.SelfComposedDpEvent(event, releases)

    weaker = {OUTSIDERS: _epsilon(event, lambda: curve(0, sampling.population))}
    # In rounds without this client, a cohort is drawn from the others alone.
    alone = event.contributors == 1
    weaker[PARTICIPANTS] = (
        (lambda releases, _delta: math.inf if releases else 0.0)
        if alone
        else _epsilon(event, lambda: curve(1, sampling.population - 1))
    )
    return Accountant(
        "rdp",
        relation,
        _epsilon(event, lambda: (FINE_ORDERS, discrete_gaussian_rdp(event, moved, FINE_ORDERS))),
        composed,
        weaker=weaker,
        zcdp=lambda releases: releases * _concentrated(event, moved) if event.share_deviation else None,
    )


def _epsilon(event: DistributedGaussianEvent, curve: Callable[[], tuple[Curve, Curve]]) -> Epsilon:
    # Composition multiplies the curve, so that one curve serves any number of releases.
    curve_once = functools.cache(curve)

    @functools.cache
    def epsilon(releases: int, delta: float) -> float:
        from dp_accounting.rdp import compute_epsilon

        if releases == 0:
            return 0.0
        if event.share_deviation == 0:
            return math.inf
        orders, once = curve_once()

        def at(allowed: float) -> float:
            return float(compute_epsilon(orders, once * releases, allowed)[0])

        return charged(at, delta, releases * event.excess_probability)

    return epsilon


DISTRIBUTED: PrivacyMechanism[DistributedGaussianEvent] = PrivacyMechanism(
    accountants=distributed,
    words=lambda event: (
        f"discrete Gaussian noise (exact) that each client adds to its clipped update; of {event.contributors} "
        f"guaranteed shares, {event.colluders} may be known to the coordinator"
    ),
    against="a coordinator who sees the cohort and every sum, but no single update",
    noise="ChaCha20 keyed by the operating system; on the integer grid, by the exact law",
    needs_encryption=True,
    with_colluders=lambda event, colluders: replace(event, colluders=colluders),
    # Any one of the guaranteed shares may have been discarded.
    with_excess=lambda event, probability: replace(
        event, excess_probability=event.contributors * probability
    ),
)
