"""The clients that the data itself names."""

from __future__ import annotations

import numpy as np

from fedcli.components.data.dataset import Dataset
from fedcli.components.data.partitions.partition import Partition
from fedcli.core.errors import ConfigError


def natural(dataset: Dataset, rng: np.random.Generator) -> Partition:
    """The dataset's own clients: a column of a csv, the `client` array of an npz, the synthetic clients.

    Args:
        dataset: what is divided; it names each example's client.
        rng: unused, nothing is drawn.

    Raises:
        ConfigError: if the dataset names no clients.
    """
    del rng
    if dataset.client_ids is None:
        raise ConfigError(
            "The partition natural needs a dataset that names the client of each example; this one does not.",
            hint="Name a csv's client_column, add a `client` array to an npz, or use another partition.",
        )
    return Partition.from_owners(dataset.client_ids, int(dataset.client_ids.max()) + 1)
