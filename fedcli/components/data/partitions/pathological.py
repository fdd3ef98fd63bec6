"""Label skew with a fixed number of classes for every client."""

from __future__ import annotations

import numpy as np

from fedcli.components.data.dataset import Array, Dataset, Rows
from fedcli.components.data.partitions.partition import Partition, check_classes, check_clients
from fedcli.core.errors import ConfigError


def pathological(
    dataset: Dataset, rng: np.random.Generator, *, clients: int, classes_per_client: int = 2
) -> Partition:
    """Label skew: each client holds `classes_per_client` classes; the holders of a class divide it equally.

    Args:
        dataset: the dataset to divide; classification.
        rng: draws the classes and the examples.
        clients: number of clients, at least 1.
        classes_per_client: classes of each client, at least 1; at most those of the dataset.

    Raises:
        ConfigError: if the clients cannot hold all classes, a class has fewer examples than holders, or
            the task is regression.

    Reference: Li et al. 2021 (NIID-Bench, #C = k), arXiv:2102.02079.

    Example: clients=12
    """
    check_classes(dataset, "pathological")
    check_clients(dataset, clients)
    classes = np.unique(dataset.y)
    _check_classes_per_client(classes_per_client, len(classes), clients)
    chosen = _draw_classes(len(classes), rng, clients=clients, classes_per_client=classes_per_client)
    owners = np.empty(len(dataset.y), np.int64)
    for label, holders in zip(classes, chosen, strict=True):
        rows = rng.permutation(np.flatnonzero(dataset.y == label))
        if len(rows) < len(holders):
            raise ConfigError(
                f"Class {label} has {len(rows):,} training examples for the {len(holders):,} clients that "
                "would hold it; expected at least one for each.",
                key="clients",
                hint="Use fewer clients or a smaller classes_per_client.",
            )
        # Holders in random order, so that it is not always the first clients that get one example more.
        owners[rows] = np.resize(rng.permutation(holders), len(rows))
    return Partition.from_owners(owners, clients)


def _check_classes_per_client(classes_per_client: int, num_classes: int, clients: int) -> None:
    if not 1 <= classes_per_client <= num_classes:
        raise ConfigError(
            f"classes_per_client is {classes_per_client}; the training examples have {num_classes} classes.",
            key="classes_per_client",
            hint=f"Use 1 to {num_classes}.",
        )
    if clients * classes_per_client < num_classes:
        raise ConfigError(
            f"classes_per_client is {classes_per_client} for {clients} clients; not all of the {num_classes} "
            "classes would have a holder.",
            key="classes_per_client",
            hint=f"Use at least {-(-num_classes // clients)}, or more clients.",
        )


def _draw_classes(
    num_classes: int, rng: np.random.Generator, *, clients: int, classes_per_client: int
) -> list[Rows]:
    """Holders of each class: every client draws distinct classes, and every class has a holder."""
    priority: Array = rng.random((clients, num_classes))
    # Every class is first given to one client, so that it has a holder by construction.
    first_deal = rng.permutation(clients)[np.arange(num_classes) // classes_per_client]
    priority[first_deal, rng.permutation(num_classes)] = -1.0
    # The smallest of independent draws are distinct classes at once, without retries.
    chosen = np.argpartition(priority, classes_per_client - 1, axis=1)[:, :classes_per_client]
    return [np.flatnonzero((chosen == label).any(axis=1)) for label in range(num_classes)]
