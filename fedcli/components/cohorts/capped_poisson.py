"""Poisson sampling with a largest cohort."""

from __future__ import annotations

import numpy as np

from fedcli.components.cohorts.sampling import Clients, at_most, require_rate
from fedcli.core.contracts import Cohort
from fedcli.core.errors import ConfigError
from fedcli.core.sampling_scheme import Sampling
from fedcli.core.types import Tree


def capped_poisson(*, rate: float, cap: int) -> Cohort:
    """Each client takes part with probability `rate`; of more than `cap` clients, a uniform subset takes part.

    For machines that cannot hold the largest cohort that coins may draw. The accounting knows the cap.

    Args:
        rate: probability that a client takes part before the cap, in (0, 1].
        cap: most clients in a round, at least 1 and at most the population.

    Reference: Ganesh 2025, arXiv:2508.15089.

    Example: rate=0.1, cap=10
    """
    require_rate(rate)
    if cap < 1:
        raise ConfigError(f"a cohort has at least 1 client; received {cap}.", key="cap")

    def sample(rng: np.random.Generator, population: int, _state: Tree) -> Clients:
        # A uniform subset of a uniform subset is uniform, so it is enough to cap the count.
        count = min(int(rng.binomial(population, rate)), at_most(cap, population, "cap"))
        # No shuffle, because the clients are sorted anyway.
        return np.sort(rng.choice(population, count, replace=False, shuffle=False)).astype(np.int64)

    return Cohort(
        name="capped-poisson",
        sample=sample,
        # Not the mean of the capped count, which is a little smaller: the divisor only has to be a constant.
        expected_size=lambda population: min(rate * population, float(at_most(cap, population, "cap"))),
        sampling=lambda population: Sampling(
            "capped-poisson", population, rate=rate, cap=at_most(cap, population, "cap")
        ),
    )
