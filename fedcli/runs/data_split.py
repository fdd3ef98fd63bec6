"""How the data of an experiment is divided over its clients: sizes, labels, and how far clients are from the whole."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fedcli.components.data import Federation
from fedcli.components.data.dataset import Array, Rows, Task
from fedcli.components.data.federation import PartitionedFederation
from fedcli.config import Config

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""The quantiles of a client's targets that a split has."""


_MOST_CLIENTS, _SAMPLED = 10_000, 1_000
"""Of more clients than the first number, the labels of the second many are read: each of them may have to be drawn."""


class Whole(NamedTuple):
    """All clients of a federation, of which a split may have a sample.

    Args:
        num_clients: clients.
        num_train: training examples of all of them.
        num_validation: their validation examples.
    """

    num_clients: int
    num_train: int
    num_validation: int


class DataSplit(NamedTuple):
    """The data of K clients before training, with their validation examples: all clients, or a sample of many.

    Args:
        task: what the labels are.
        names: the clients' names, or their numbers.
        num_train: training examples of each client, [K].
        num_validation: validation examples of each client, [K].
        classes: the names of the C classes, or their numbers; empty in a regression.
        counts: examples of each client by class, [K, C]; [K, 0] in a regression.
        quantiles: of each client's first target at `LEVELS`, [K, 5]; [K, 0] in a classification.
        total_variation: of each client's labels from those of all clients, in [0, 1], [K]; empty in a regression.
        earth_movers: the earth mover's distance of the same two, [K]: in [0, 2] between labels, in standard deviations
            between targets.
        whole: all clients; a sample has clients at equal distances, from the first to the last.
    """

    task: Task
    names: tuple[str, ...]
    num_train: Rows
    num_validation: Rows
    classes: tuple[str, ...]
    counts: Rows
    quantiles: Array
    total_variation: Array
    earth_movers: Array
    whole: Whole

    @property
    def is_sample(self) -> bool:
        """Whether only some of the clients are here."""
        return len(self.names) < self.whole.num_clients

    @property
    def sizes(self) -> Rows:
        """Examples of each client, [K]."""
        return self.num_train + self.num_validation

    def mean(self, distances: Array) -> float:
        """The mean of a distance over all examples: a client counts by its size."""
        return float(np.average(distances, weights=self.sizes))


def total_variation(counts: Rows) -> Array:
    """Half the sum over classes of |p_k(c) - p(c)|: the share of client k's labels that would have to change.

    Args:
        counts: examples by client and class, [K, C]; every client has at least one.

    Returns:
        A distance in [0, 1] for each client, [K]; p is the distribution of all clients' labels together.

    Reference: Levin, Peres and Wilmer 2009, Markov Chains and Mixing Times, proposition 4.2.
    """
    shares: Array = counts / counts.sum(1, keepdims=True)
    distances: Array = np.abs(shares - counts.sum(0) / counts.sum()).sum(1) / 2
    return distances


def label_earth_movers(counts: Rows) -> Array:
    """The sum over classes of |p_k(c) - p(c)|, with which non-IID data are described: twice the total variation.

    Args:
        counts: examples by client and class, [K, C].

    Returns:
        A distance in [0, 2] for each client, [K].

    Reference: Zhao et al. 2018, Federated Learning with Non-IID Data, arXiv:1806.00582, equation 5. Between labels
    that have no order, all moves are equally far.
    """
    return 2 * total_variation(counts)


def target_earth_movers(targets: list[Array]) -> Array:
    """The earth mover's (1-Wasserstein) distance of each client's targets from those of all clients.

    Args:
        targets: those of each client, [n] or [n, T].

    Returns:
        A distance for each client, [K], in standard deviations of all clients' targets; of several targets, their mean.

    Reference: `scipy.stats.wasserstein_distance`; Villani 2009, Optimal Transport, remark 6.4.
    """
    from scipy.stats import wasserstein_distance

    tables = [each.reshape(len(each), -1).astype(np.float64) for each in targets]
    pooled = np.concatenate(tables)
    scale = pooled.std(0)
    # A target that is the same everywhere is at no distance, in whatever unit.
    scale[scale == 0] = 1.0
    return np.array(
        [
            np.mean(
                [wasserstein_distance(table[:, t], pooled[:, t]) / scale[t] for t in range(pooled.shape[1])]
            )
            for table in tables
        ]
    )


def split_of(source: Config) -> DataSplit:
    """The split of a config's data. Nothing is trained, and nothing is made but the data.

    Raises:
        ConfigErrors: with the place of a value of the config that cannot be used.
    """
    from fedcli.experiment.federation import federation_of
    from fedcli.experiment.make import located
    from fedcli.experiment.protection.order import recipe

    with located(source):
        federation, _ = federation_of(source.experiment, recipe(source.experiment), key=None)
        return split_of_federation(federation)


def split_of_federation(federation: Federation) -> DataSplit:
    """The split of clients' data that have been made, such as `setup.world.federation`; of many clients, a sample."""
    num_clients = federation.num_clients
    chosen = np.arange(num_clients)
    if num_clients > _MOST_CLIENTS:
        chosen = np.linspace(0, num_clients - 1, _SAMPLED).round().astype(np.int64)
    labels = [_labels_of(federation, client) for client in chosen.tolist()]
    named = getattr(federation, "client_names", None)
    names = tuple(named[client] if named else str(client) for client in chosen.tolist())
    train, validation = np.asarray(federation.num_train), np.asarray(federation.num_validation)
    facts = (federation.task, names, train[chosen], validation[chosen])
    whole = Whole(num_clients, int(train.sum()), int(validation.sum()))
    if federation.task == "regression":
        quantiles = np.array([np.quantile(each.reshape(len(each), -1)[:, 0], LEVELS) for each in labels])
        none = np.zeros(0)
        counts = np.zeros((len(chosen), 0), np.int64)
        return DataSplit(*facts, (), counts, quantiles, none, target_earth_movers(labels), whole)
    counts = np.array([np.bincount(each, minlength=federation.num_outputs) for each in labels])
    source = federation.source if isinstance(federation, PartitionedFederation) else None
    classes = source.class_names if source else None
    return DataSplit(
        *facts,
        tuple(classes or map(str, range(federation.num_outputs))),
        counts,
        np.zeros((len(chosen), 0)),
        total_variation(counts),
        label_earth_movers(counts),
        whole,
    )


def _labels_of(federation: Federation, client: int) -> Array:
    """All labels [n] or targets [n, T] of a client."""
    # Without its features, which would be preprocessed for nothing.
    if isinstance(federation, PartitionedFederation):
        return federation.labels(client)
    data = federation.client(client)
    y = np.concatenate([data.y_train, data.y_validation])
    # Labels of a custom federation may be one-hot.
    return y.argmax(1) if federation.task == "classification" and y.ndim == 2 else y
