"""Clients of unequal size with unskewed labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.partitions.partition import (
    Partition,
    apportion,
    check_clients,
    check_positive,
    draw_shares,
    offsets_of,
)


def quantity_dirichlet(
    dataset: Dataset, rng: np.random.Generator, *, clients: int, alpha: float = 0.5, min_size: int = 1
) -> Partition:
    """Quantity skew: sizes follow one Dirichlet(alpha) draw, labels are unskewed.

    Args:
        dataset: what is divided.
        rng: decides the sizes and who gets what.
        clients: number of clients.
        alpha: concentration, positive; large is nearly equal.
        min_size: examples that every client has before the rest is divided.

    Raises:
        ConfigError: if clients * min_size exceeds the examples.

    Reference: Li et al. 2021 (NIID-Bench), arXiv:2102.02079.
    """
    check_clients(dataset, clients, min_size=min_size)
    shares = draw_shares(alpha, clients, rng=rng)
    return _of_sizes(shares, dataset, rng=rng, min_size=min_size)


def quantity_power_law(
    dataset: Dataset, rng: np.random.Generator, *, clients: int, exponent: float = 1.0, min_size: int = 1
) -> Partition:
    """Quantity skew: the size of the k-th client falls as k ** -exponent, labels are unskewed.

    Args:
        dataset: what is divided.
        rng: decides who gets what; the sizes are not random, and client 0 is the largest.
        clients: number of clients.
        exponent: how steeply sizes fall, positive; 1 is Zipf's law.
        min_size: examples that every client has before the rest is divided.

    Raises:
        ConfigError: if clients * min_size exceeds the examples.
    """
    check_clients(dataset, clients, min_size=min_size)
    check_positive("exponent", exponent)
    with np.errstate(under="ignore"):
        weights = np.arange(1, clients + 1, dtype=np.float64) ** -exponent
    return _of_sizes(weights / weights.sum(), dataset, rng=rng, min_size=min_size)


def _of_sizes(
    shares: npt.NDArray[np.float64], dataset: Dataset, *, rng: np.random.Generator, min_size: int
) -> Partition:
    num_examples = len(dataset.y)
    sizes = min_size + apportion(num_examples - min_size * len(shares), shares)
    return Partition(rng.permutation(num_examples), offsets_of(sizes))
