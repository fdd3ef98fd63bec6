"""Who takes part in a round."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fedcli.core.contracts import Cohort
from fedcli.core.errors import ConfigError
from fedcli.core.factories import Registry
from fedcli.core.privacy_events import Sampling
from fedcli.core.seeds import SERVER, generator

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
    _require_rate(rate)
    return Cohort(
        name="poisson",
        sample=lambda rng, population: _by_coins(rng, population, rate),
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
    _require_rate(rate)
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


def min_separation(*, separation: int, rate: float = 1.0) -> Cohort:
    """Clients stand in groups that take turns, so that a client waits `separation` rounds for its next turn.

    The seed deals the clients out to `separation` groups, whose sizes differ by one at most. With a rate, each client
    of the group whose turn it is takes part by its own coin.

    Args:
        separation: groups, at least 1 and at most the population; 1 is every client in every round.
        rate: probability that a client takes part in its turn, in (0, 1].

    Reference: Choquette-Choo et al. 2023, arXiv:2306.08153, Section 3.
    """
    if separation < 1:
        raise ConfigError(f"separation is at least 1 round; received {separation}.", key="separation")
    _require_rate(rate)

    def sampling(population: int) -> Sampling:
        if separation > population:
            raise ConfigError(
                f"each of {separation} groups has at least one client; the federation has {population}.",
                key="separation",
                hint=f"Use a separation of at most {population}, or more clients in data.partition.",
            )
        return Sampling("min-separation", population, rate=rate, separation=separation)

    return Cohort(
        name="min-separation",
        sample=lambda rng, members: _by_coins(rng, members, rate),
        expected_size=lambda population: rate * population / separation,
        sampling=sampling,
        separation=separation,
    )


def whose_turn(cohort: Cohort, round: int, *, num_clients: int, root: int) -> Clients:
    """The clients from whom a round's cohort is drawn, ascending: all of them, or the group whose turn it is."""
    if cohort.separation == 1:
        return np.arange(num_clients, dtype=np.int64)
    order = generator(root, 0, SERVER, "cohort groups").permutation(num_clients)
    return np.sort(order[(round - 1) % cohort.separation :: cohort.separation]).astype(np.int64)


def _by_coins(rng: np.random.Generator, population: int, rate: float) -> Clients:
    # A binomial count and then a uniform subset is the same law as one coin a client, and does not
    # cost one draw for each of a million clients.
    count = int(rng.binomial(population, rate))
    return np.sort(rng.choice(population, count, replace=False, shuffle=False)).astype(np.int64)


def _require_rate(rate: float) -> None:
    if not 0 < rate <= 1:
        raise ConfigError(f"a sampling rate lies in (0, 1]; received {rate}.", key="rate")


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
    "min-separation": min_separation,
}
