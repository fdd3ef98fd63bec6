"""A fixed number of clients, drawn without replacement."""

from __future__ import annotations

import numpy as np

from fedcli.components.cohorts.sampling import Clients, at_most
from fedcli.core.contracts import Cohort
from fedcli.core.errors import ConfigError
from fedcli.core.sampling_scheme import Sampling
from fedcli.core.types import Tree


def uniform(*, size: int) -> Cohort:
    """A fixed number of clients, drawn without replacement.

    Args:
        size: clients in a round, at least 1 and at most the population.

    Reference: McMahan et al. 2017, arXiv:1602.05629.

    Example: size=10
    """
    if size < 1:
        raise ConfigError(f"a cohort has at least 1 client; received {size}.", key="size")

    def sample(rng: np.random.Generator, population: int, _state: Tree) -> Clients:
        # Sorted, because updates are added in the order of the cohort, and a float sum depends on its order.
        return np.sort(rng.choice(population, at_most(size, population), replace=False)).astype(np.int64)

    return Cohort(
        name="uniform",
        sample=sample,
        expected_size=lambda population: float(at_most(size, population)),
        sampling=lambda population: Sampling("fixed", population, size=at_most(size, population)),
    )
