"""Clients whose sizes fall by a power law."""

from __future__ import annotations

import numpy as np

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.partitions.partition import Partition, check_clients, check_positive, unskewed


def quantity_power_law(
    dataset: Dataset, rng: np.random.Generator, *, clients: int, exponent: float = 1.0, min_size: int = 1
) -> Partition:
    """Quantity skew: the size of the k-th client falls as k ** -exponent, labels are unskewed.

    Args:
        dataset: the dataset to divide.
        rng: decides which client gets which examples; the sizes are fixed, and client 0 has the most.
        clients: number of clients, at least 1.
        exponent: how fast sizes fall, above 0; 1 is Zipf's law.
        min_size: examples that every client gets before the rest is divided, at least 1.

    Raises:
        ConfigError: if clients * min_size exceeds the examples.

    Example: clients=12
    """
    check_clients(dataset, clients, min_size=min_size)
    check_positive("exponent", exponent)
    # With a large exponent the shares of late clients are 0, as intended; these clients keep `min_size`.
    with np.errstate(under="ignore"):
        weights = np.arange(1, clients + 1, dtype=np.float64) ** -exponent
    return unskewed(dataset, weights / weights.sum(), rng=rng, min_size=min_size)
