"""Clients whose sizes follow a Dirichlet distribution."""

from __future__ import annotations

import numpy as np

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.partitions.partition import Partition, check_clients, draw_shares, unskewed


def quantity_dirichlet(
    dataset: Dataset, rng: np.random.Generator, *, clients: int, alpha: float = 0.5, min_size: int = 1
) -> Partition:
    """Quantity skew: sizes follow one Dirichlet(alpha) draw, labels are unskewed.

    Args:
        dataset: the dataset to divide.
        rng: decides the sizes and which client gets which examples.
        clients: number of clients, at least 1.
        alpha: concentration, above 0; with a large one sizes are nearly equal.
        min_size: examples that every client gets before the rest is divided, at least 1.

    Raises:
        ConfigError: if clients * min_size exceeds the examples.

    Reference: Li et al. 2021 (NIID-Bench), arXiv:2102.02079.

    Example: clients=12
    """
    check_clients(dataset, clients, min_size=min_size)
    shares = draw_shares(alpha, clients, rng=rng)
    return unskewed(dataset, shares, rng=rng, min_size=min_size)
