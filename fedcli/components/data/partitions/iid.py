"""Equal parts of shuffled examples, without skew."""

from __future__ import annotations

import numpy as np

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.partitions.partition import Partition, check_clients


def iid(dataset: Dataset, rng: np.random.Generator, *, clients: int) -> Partition:
    """Equal parts (to within one example) of the shuffled examples.

    Args:
        dataset: the dataset to divide.
        rng: decides which client gets which examples.
        clients: number of clients, at least 1.

    Raises:
        ConfigError: if there are more clients than examples.

    Example: clients=12
    """
    check_clients(dataset, clients)
    num_examples = len(dataset.y)
    # Integer arithmetic, so that sizes differ by at most one.
    offsets = np.arange(clients + 1, dtype=np.int64) * num_examples // clients
    return Partition(rng.permutation(num_examples), offsets)
