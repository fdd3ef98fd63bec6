"""Label skew with one knob, from nearly one class a client to nearly none."""

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

    Small `alpha` leaves each class to a few clients, large `alpha` approaches equal parts. Sizes differ
    too. Where a client falls short of `min_size`, the fewest possible examples move to it from clients
    that have more.

    Args:
        dataset: what is divided; classification.
        rng: decides who gets what.
        clients: number of clients.
        alpha: concentration, positive.
        min_size: least examples of a client.

    Raises:
        ConfigError: if clients * min_size exceeds the examples, or the task is regression.

    Reference: Hsu et al. 2019, arXiv:1909.06335. There each client draws its class mixture and all have
        equally many examples; here, as in Yurochkin et al. 2019, arXiv:1905.12022, each class draws its
        clients, so that sizes differ.
    """
    check_classes(dataset, "dirichlet")
    check_clients(dataset, clients, min_size=min_size)
    classes = np.unique(dataset.y)
    # Evenly spread phases: with equal shares the clients' rounded parts of all classes add up to equal
    # sizes (Hermite's identity), where one common phase would give some clients a part of every class.
    phases = (rng.permutation(len(classes)) + rng.random()) / len(classes)
    owners = np.empty(len(dataset.y), np.int64)
    for label, phase in zip(classes, phases, strict=True):
        rows = rng.permutation(np.flatnonzero(dataset.y == label))
        shares = draw_shares(alpha, clients, rng=rng)
        owners[rows] = np.repeat(np.arange(clients), apportion(len(rows), shares, phase=phase))
    return Partition.from_owners(top_up(owners, clients, min_size, rng=rng), clients)
