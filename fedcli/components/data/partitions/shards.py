"""Label skew by shards of sorted examples, as in the FedAvg paper."""

from __future__ import annotations

import numpy as np

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.partitions.partition import Partition, check_classes, check_clients
from fedcli.core.errors import ConfigError


def shards(
    dataset: Dataset, rng: np.random.Generator, *, clients: int, shards_per_client: int = 2
) -> Partition:
    """Label skew: examples sorted by label are cut into equal shards, and each client draws some.

    Args:
        dataset: the dataset to divide; classification.
        rng: orders the examples of a class and distributes the shards.
        clients: number of clients, at least 1.
        shards_per_client: shards of each client, at least 1; with 2 most clients have two classes.

    Raises:
        ConfigError: if there are more shards than examples, or the task is regression.

    Reference: McMahan et al. 2017, arXiv:1602.05629.

    Example: clients=12
    """
    check_classes(dataset, "shards")
    check_clients(dataset, clients)
    num_examples, num_shards = len(dataset.y), clients * shards_per_client
    if not shards_per_client >= 1 or num_shards > num_examples:
        raise ConfigError(
            f"shards_per_client is {shards_per_client:,} for {clients:,} clients and {num_examples:,} training "
            "examples; expected at least 1, and at least one example for each shard.",
            key="shards_per_client",
            hint=f"Use 1 to {num_examples // clients:,}.",
        )
    shuffled = rng.permutation(num_examples)
    # Shuffled before the stable sort, so that the examples of a class are in random order.
    by_label = shuffled[np.argsort(dataset.y[shuffled], kind="stable")]
    # Integer arithmetic, so that shards differ by at most one example.
    sizes = np.diff(np.arange(num_shards + 1) * num_examples // num_shards)
    owners = np.empty(num_examples, np.int64)
    owners[by_label] = np.repeat(rng.permutation(num_shards) // shards_per_client, sizes)
    return Partition.from_owners(owners, clients)
