"""Who takes part in a round."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError
from fedcli.core.factories import Registry
from fedcli.core.privacy import Sampling
from fedcli.core.types import Cohort

Clients = npt.NDArray[np.int64]


def full() -> Cohort:
    """Every client in every round."""
    return Cohort(
        name="full",
        sample=lambda _rng, population: np.arange(population, dtype=np.int64),
        expected_size=float,
        sampling=lambda population: Sampling("full", population, size=population),
    )


def uniform(*, size: int) -> Cohort:
    """A fixed number of clients, drawn without replacement.

    Args:
        size: clients in a round, at least 1 and at most the population.

    Reference: McMahan et al. 2017, arXiv:1602.05629.
    """
    if size < 1:
        raise ConfigError(f"a cohort has at least 1 client; received {size}.", key="size")

    def sample(rng: np.random.Generator, population: int) -> Clients:
        return np.sort(rng.choice(population, _at_most(size, population), replace=False)).astype(np.int64)

    return Cohort(
        name="uniform",
        sample=sample,
        expected_size=lambda population: float(_at_most(size, population)),
        sampling=lambda population: Sampling("fixed", population, size=_at_most(size, population)),
    )


def poisson(*, rate: float) -> Cohort:
    """Each client takes part by its own coin, so that a round's size varies; what privacy amplification wants.

    Args:
        rate: probability that a client takes part in a round, in (0, 1].

    Reference: Mironov et al. 2019, arXiv:1908.10530.
    """
    if not 0 < rate <= 1:
        raise ConfigError(f"a sampling rate lies in (0, 1]; received {rate}.", key="rate")

    def sample(rng: np.random.Generator, population: int) -> Clients:
        # A binomial count and then a uniform subset is the same law as one coin a client, and does not
        # cost one draw for each of a million clients.
        count = int(rng.binomial(population, rate))
        return np.sort(rng.choice(population, count, replace=False, shuffle=False)).astype(np.int64)

    return Cohort(
        name="poisson",
        sample=sample,
        expected_size=lambda population: rate * population,
        sampling=lambda population: Sampling("poisson", population, rate=rate),
    )


def capped_poisson(*, rate: float, cap: int) -> Cohort:
    """Each client takes part by its own coin; of more than `cap`, a uniform subset of that size does.

    For machines that cannot hold the largest cohort that coins may draw. The accounting knows the cap.

    Args:
        rate: probability that a client's coin says yes, in (0, 1].
        cap: most clients in a round, at least 1 and at most the population.

    Reference: Ganesh 2025, arXiv:2508.15089.
    """
    if not 0 < rate <= 1:
        raise ConfigError(f"a sampling rate lies in (0, 1]; received {rate}.", key="rate")
    if cap < 1:
        raise ConfigError(f"a cohort has at least 1 client; received {cap}.", key="cap")

    def sample(rng: np.random.Generator, population: int) -> Clients:
        # A uniform subset of a uniform subset is one: only the count knows of the cap.
        count = min(int(rng.binomial(population, rate)), _at_most(cap, population, "cap"))
        return np.sort(rng.choice(population, count, replace=False, shuffle=False)).astype(np.int64)

    return Cohort(
        name="capped-poisson",
        sample=sample,
        expected_size=lambda population: min(rate * population, float(_at_most(cap, population, "cap"))),
        sampling=lambda population: Sampling(
            "capped-poisson", population, rate=rate, cap=_at_most(cap, population, "cap")
        ),
    )


def _at_most(size: int, population: int, key: str = "size") -> int:
    if size > population:
        raise ConfigError(
            f"a cohort of {size} clients needs at least as many; the federation has {population}.",
            key=key,
            hint=f"Use a {key} of at most {population}, or more clients in data.partition.",
        )
    return size


COHORTS: Registry = {
    "full": full,
    "uniform": uniform,
    "poisson": poisson,
    "capped-poisson": capped_poisson,
}
