"""The natural clients of a dataset."""

from __future__ import annotations

import numpy as np

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.partitions.partition import Partition
from fedcli.core.errors import ConfigError


def natural(dataset: Dataset, rng: np.random.Generator) -> Partition:
    """The dataset's own clients: a column of a csv, the `client` array of an npz, the synthetic clients.

    Args:
        dataset: the dataset to divide; it must name each example's client.
        rng: unused, because nothing is random.

    Raises:
        ConfigError: if the dataset names no clients.
    """
    # Every partition has the same signature, whether it draws or not.
    del rng
    if dataset.client_sizes is not None:
        return Partition.consecutive(dataset.client_sizes)
    if dataset.client_ids is None:
        raise ConfigError(
            "The partition natural needs a dataset that names the client of each example; this one does not.",
            hint="Set client_column for a csv, add a `client` array to an npz, or use another partition.",
        )
    return Partition.from_owners(dataset.client_ids, int(dataset.client_ids.max()) + 1)
