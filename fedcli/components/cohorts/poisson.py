"""Poisson sampling: each client takes part independently of the others."""

from __future__ import annotations

from fedcli.components.cohorts.sampling import by_coins, require_rate
from fedcli.core.contracts import Cohort
from fedcli.core.sampling_scheme import Sampling


def poisson(*, rate: float) -> Cohort:
    """Each client takes part independently, as privacy amplification assumes; the size of a cohort varies.

    Args:
        rate: probability that a client takes part in a round, in (0, 1].

    Reference: Mironov et al. 2019, arXiv:1908.10530.

    Example: rate=0.1
    """
    require_rate(rate)
    return Cohort(
        name="poisson",
        sample=lambda rng, population, _state: by_coins(rng, population, rate),
        expected_size=lambda population: rate * population,
        sampling=lambda population: Sampling("poisson", population, rate=rate),
    )
