"""Label skew by a Dirichlet distribution over clients."""

from __future__ import annotations

import numpy as np

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.partitions.partition import (
    Partition,
    apportion,
    check_classes,
    check_clients,
    draw_shares,
    top_up,
)


def dirichlet(
    dataset: Dataset, rng: np.random.Generator, *, clients: int, alpha: float = 0.5, min_size: int = 1
) -> Partition:
    """Label skew: each class is divided over the clients by a Dirichlet(alpha) draw.

    A small `alpha` gives each class to a few clients, a large `alpha` approaches equal parts. Sizes differ
    too. If a client has fewer than `min_size` examples, as few examples as possible move to it from clients
    that have more.

    Args:
        dataset: the dataset to divide; classification.
        rng: decides which client gets which examples.
        clients: number of clients, at least 1.
        alpha: concentration, above 0.
        min_size: least examples of a client, at least 1.

    Raises:
        ConfigError: if clients * min_size exceeds the examples, or the task is regression.

    Reference: Hsu et al. 2019, arXiv:1909.06335. There each client draws its class mixture and all have
        equally many examples. Here, as in Yurochkin et al. 2019, arXiv:1905.12022, the shares of the clients
        are drawn for each class, so that sizes differ.

    Example: clients=12
    """
    check_classes(dataset, "dirichlet")
    check_clients(dataset, clients, min_size=min_size)
    classes = np.unique(dataset.y)
    # Evenly spaced phases of the rounding: with equal shares the clients' sizes are then equal to within one
    # (Hermite's identity). With one common phase the same clients would get the extra example of every class.
    phases = (rng.permutation(len(classes)) + rng.random()) / len(classes)
    owners = np.empty(len(dataset.y), np.int64)
    for label, phase in zip(classes, phases, strict=True):
        rows = rng.permutation(np.flatnonzero(dataset.y == label))
        shares = draw_shares(alpha, clients, rng=rng)
        owners[rows] = np.repeat(np.arange(clients), apportion(len(rows), shares, phase=phase))
    return Partition.from_owners(top_up(owners, clients, min_size, rng=rng), clients)
