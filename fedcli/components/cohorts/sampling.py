"""Draws and checks that several cohorts share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fedcli.core.errors import ConfigError

Clients = npt.NDArray[np.int64]


def by_coins(rng: np.random.Generator, population: int, rate: float) -> Clients:
    """The clients whose own coin of probability `rate` says yes, ascending."""
    # A binomial count and a uniform subset of that size have the same distribution as one draw for each client, and
    # are cheap for a million clients.
    count = int(rng.binomial(population, rate))
    return np.sort(rng.choice(population, count, replace=False, shuffle=False)).astype(np.int64)


def require_rate(rate: float) -> None:
    """Raise a `ConfigError` unless `rate` is a probability above 0."""
    if not 0 < rate <= 1:
        raise ConfigError(f"a sampling rate lies in (0, 1]; received {rate}.", key="rate")


def at_most(size: int, population: int, key: str = "size") -> int:
    """`size`, or a `ConfigError` that names `key` where the federation has fewer clients."""
    if size > population:
        raise ConfigError(
            f"a cohort of {size} clients needs at least as many; the federation has {population}.",
            key=key,
            hint=f"Use a {key} of at most {population}, or more clients in data.partition.",
        )
    return size
