"""Which of a client's examples it validates on: a number of them, or each by a coin of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Protocol

import numpy as np

from fedcli.components.data.dataset import Array, Dataset, Rows
from fedcli.components.data.partitions.partition import Partition
from fedcli.core.seeds import generator, generators, seed


class ValidationSplit(Protocol):
    """The training and the validation part of every client."""

    @property
    def num_validation(self) -> Rows:
        """Validation examples of each client, shape [K]."""

    def rows(self, client: int) -> tuple[Rows, Rows]:
        """The rows that a client trains on, and those that it validates on."""

    def validation_rows(self) -> Iterator[Rows]:
        """The rows that each client validates on, of all clients that have some."""


class SplitByCount:
    """A share of each client's examples, rounded down; at least one example stays for training.

    Client k is split by `generator(root_seed, 0, k, "split")`.
    """

    def __init__(self, partition: Partition, fraction: float, *, root_seed: int) -> None:
        self._partition, self._root_seed = partition, root_seed
        # The small number corrects products such as 0.29 * 100 = 28.999999999999996.
        planned = np.floor(fraction * partition.sizes + 1e-9).astype(np.int64)
        self.num_validation: Rows = np.minimum(planned, partition.sizes - 1)

    def rows(self, client: int) -> tuple[Rows, Rows]:
        """The rows that a client trains on, and those that it validates on."""
        # A seed for each client, so that its split does not depend on the other clients.
        rows = self._partition.client(client)
        shuffled = rows[generator(self._root_seed, 0, client, "split").permutation(len(rows))]
        cut = self.num_validation[client]
        return shuffled[cut:], shuffled[:cut]

    def validation_rows(self) -> Iterator[Rows]:
        """The rows that each client validates on, of all clients that have some."""
        clients = np.flatnonzero(self.num_validation).tolist()
        drawn = generators(self._root_seed, 0, clients, "split")
        for client, rng in zip(clients, drawn, strict=True):
            rows = self._partition.client(client)
            yield rows[rng.permutation(len(rows))[: self.num_validation[client]]]


class SplitByExample:
    """Each example by a hash of its own content, so that the part of one does not depend on the others.

    Where one example is protected, no other may change its part because that one is there or not. The sizes of the
    parts are therefore random, and a client with few examples may have none of one kind. The key of the hash is
    `seed(root_seed, 0, k, "split")`; equal examples of a client are in the same part.
    """

    def __init__(self, dataset: Dataset, partition: Partition, fraction: float, *, root_seed: int) -> None:
        self._dataset, self._partition = dataset, partition
        self._fraction, self._root_seed = fraction, root_seed

    @cached_property
    def num_validation(self) -> Rows:
        """Validation examples of each client, shape [K]. Reads every example once, unless the fraction is 0."""
        if not self._fraction:
            return np.zeros(self._partition.num_clients, np.int64)
        counts = [len(self.rows(client)[1]) for client in range(self._partition.num_clients)]
        return np.asarray(counts, np.int64)

    def rows(self, client: int) -> tuple[Rows, Rows]:
        """The rows that a client trains on, and those that it validates on."""
        rows = self._partition.client(client)
        if not self._fraction:
            return rows, rows[:0]
        key = seed(self._root_seed, 0, client, "split").to_bytes(8, "little")
        x, y = self._dataset.take(rows)
        drawn = np.array([_coin(key, *example) for example in zip(x, y, strict=True)], np.float64)
        return rows[drawn >= self._fraction], rows[drawn < self._fraction]

    def validation_rows(self) -> Iterator[Rows]:
        """The rows that each client validates on, of all clients that have some."""
        return (self.rows(client)[1] for client in np.flatnonzero(self.num_validation).tolist())


def _coin(key: bytes, x: Array, y: Array) -> float:
    """A number in [0, 1) that follows from the example alone."""
    digest = hashlib.blake2b(x.tobytes() + y.tobytes(), key=key, digest_size=8).digest()
    # 53 bits, as many as a float64 holds exactly.
    return (int.from_bytes(digest, "little") >> 11) * 2.0**-53
