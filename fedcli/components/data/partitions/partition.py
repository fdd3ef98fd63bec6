"""The type of a partition, and the arithmetic that partitions share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from fedcli.components.data.dataset import Dataset, Rows
from fedcli.core.errors import ConfigError, DataError

LARGEST_ALPHA = 1e12
"""With a larger alpha the shares are equal in float64 anyway, and NumPy's draw can overflow."""


@dataclass(frozen=True, eq=False)
class Partition:
    """Which rows of a dataset each client holds: every row once, every client at least one.

    Args:
        order: row numbers client after client, a permutation of 0..N-1, int64 [N]; or `range(N)`, without
            memory.
        offsets: client k holds order[offsets[k]:offsets[k + 1]], int64 [K + 1].

    Raises:
        DataError: if a row is lost or given twice, or a client holds no row.
    """

    order: Rows | range
    offsets: Rows

    def __post_init__(self) -> None:
        # A frozen dataclass sets its own fields this way; lists become arrays.
        object.__setattr__(self, "offsets", _row_numbers("offsets", self.offsets))
        if not isinstance(self.order, range):
            object.__setattr__(self, "order", _row_numbers("order", self.order))
        num_rows = len(self.order)
        if not self.is_consecutive:
            _check_order(np.asarray(self.order))
        if len(self.offsets) < 2 or self.offsets[0] != 0 or self.offsets[-1] != num_rows:
            raise DataError(f"The offsets of a partition must begin with 0 and end with {num_rows:,}.")
        if not (self.sizes > 0).all():
            if (self.sizes < 0).any():
                raise DataError("The offsets of a partition must ascend.")
            raise DataError(
                f"Client {np.argmin(self.sizes)} has no example; expected at least one for each client."
            )

    @classmethod
    def from_owners(cls, owners: Rows, num_clients: int) -> Partition:
        """The partition in which row i belongs to client `owners[i]`, int64 [N]; rows stay ascending."""
        sizes = np.bincount(owners, minlength=num_clients)
        return cls(np.argsort(owners, kind="stable"), offsets_of(sizes))

    @classmethod
    def consecutive(cls, sizes: Rows) -> Partition:
        """The partition of rows that are in the order of their clients, from their numbers of rows, int64 [K]."""
        return cls(range(int(sizes.sum())), offsets_of(sizes))

    @property
    def is_consecutive(self) -> bool:
        """Whether the rows are in the order of their clients."""
        return isinstance(self.order, range)

    @property
    def num_clients(self) -> int:
        """Clients, K."""
        return len(self.offsets) - 1

    @property
    def sizes(self) -> Rows:
        """Examples of each client, int64 [K]."""
        return np.diff(self.offsets)

    def client(self, client: int) -> Rows:
        """Row numbers of one client, 0..K-1."""
        if not 0 <= client < self.num_clients:
            raise IndexError(
                f"There is no client {client}; clients are numbered 0 to {self.num_clients - 1}."
            )
        begin, end = self.offsets[client : client + 2]
        # Not a slice of the range, which NumPy would read number by number.
        return np.arange(begin, end) if isinstance(self.order, range) else self.order[begin:end]

    def owners(self) -> Rows:
        """The client of each row, int64 [N]."""
        owners = np.empty(len(self.order), np.int64)
        owners[self.order] = np.repeat(np.arange(self.num_clients), self.sizes)
        return owners


def _check_order(order: Rows) -> None:
    num_rows = len(order)
    # Checked first, because bincount needs row numbers within the range.
    if num_rows and not (order.min() >= 0 and order.max() < num_rows):
        raise DataError(
            f"A partition of {num_rows:,} rows contains a row number outside 0 to {num_rows - 1:,}."
        )
    if not (np.bincount(order, minlength=num_rows) == 1).all():
        raise DataError("A partition lacks a row or contains one twice; expected every row exactly once.")


def _row_numbers(name: str, values: ArrayLike) -> Rows:
    found = np.asarray(values)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise DataError(
            f"The {name} of a partition is {found.dtype} {list(found.shape)}; one row of integers is expected."
        )
    return found.astype(np.int64, copy=False)


def offsets_of(sizes: Rows) -> Rows:
    """The start of each of consecutive pieces, and the end of the last: int64 [K] -> [K + 1]."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def apportion(total: int, shares: npt.NDArray[np.float64], *, phase: float = 0.5) -> Rows:
    """Divide `total` items by shares that sum to 1, each exact to within one item.

    Args:
        total: number of items.
        shares: each receiver's share, [K].
        phase: where the rounding starts, in [0, 1).
    """
    ends = np.floor(np.cumsum(shares) * total + phase).astype(np.int64)
    ends = np.minimum(ends, total)
    ends[-1] = total  # because of rounding the shares may sum to less than 1
    return np.diff(ends, prepend=0)


def unskewed(
    dataset: Dataset, shares: npt.NDArray[np.float64], *, rng: np.random.Generator, min_size: int
) -> Partition:
    """Shuffled examples: `min_size` for every client, and the rest by shares [K] that sum to 1."""
    num_examples = len(dataset.y)
    sizes = min_size + apportion(num_examples - min_size * len(shares), shares)
    return Partition(rng.permutation(num_examples), offsets_of(sizes))


def draw_shares(alpha: float, num_clients: int, *, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """One draw of Dirichlet(alpha, ..., alpha), shape [K].

    Raises:
        ConfigError: if `alpha` is not a positive number.
    """
    check_positive("alpha", alpha)
    return rng.dirichlet(np.full(num_clients, min(alpha, LARGEST_ALPHA)))


def top_up(owners: Rows, num_clients: int, min_size: int, *, rng: np.random.Generator) -> Rows:
    """Give every client at least `min_size` rows, and move as few rows as possible.

    The rows come from the clients that have more, in proportion to their surplus, and are drawn at random. It
    is one pass without retries, so that it ends for every partition.

    Args:
        owners: client of each row, [N].
        num_clients: clients, K, with K * min_size <= N.
        min_size: least number of rows of a client.
        rng: decides which rows move.
    """
    sizes = np.bincount(owners, minlength=num_clients)
    missing = np.maximum(min_size - sizes, 0)
    if not missing.any():
        return owners
    spare = np.cumsum(np.maximum(sizes - min_size, 0))
    # Cumulative shares in integers: they sum exactly, and nobody gives more than its surplus.
    given = np.diff(spare * missing.sum() // spare[-1], prepend=0)
    shuffled = rng.permutation(len(owners))
    order = shuffled[np.argsort(owners[shuffled], kind="stable")]
    rank = np.arange(len(owners)) - np.repeat(offsets_of(sizes)[:-1], sizes)
    moved = order[rank < np.repeat(given, sizes)]
    result = owners.copy()
    result[rng.permutation(moved)] = np.repeat(np.arange(num_clients), missing)
    return result


def check_clients(dataset: Dataset, clients: int, *, min_size: int = 1) -> None:
    """Refuse a number of clients for which there are too few examples.

    Raises:
        ConfigError: if `clients` or `min_size` is less than 1, or their product is more than the examples.
    """
    num_examples = len(dataset.y)
    if clients < 1:
        raise ConfigError(f"clients is {clients}; expected at least 1.", key="clients")
    if min_size < 1:
        raise ConfigError(f"min_size is {min_size}; expected at least 1.", key="min_size")
    if clients > num_examples:
        raise ConfigError(
            f"clients is {clients:,}, but the dataset has {num_examples:,} training examples; each client needs one.",
            key="clients",
            hint=f"Use at most {num_examples:,} clients.",
        )
    if clients * min_size > num_examples:
        raise ConfigError(
            f"min_size is {min_size:,} for {clients:,} clients, which needs {clients * min_size:,} training "
            f"examples; the dataset has {num_examples:,}.",
            key="min_size",
            hint=f"Use min_size: {num_examples // clients:,} or less, or at most {num_examples // min_size:,} clients.",
        )


def check_classes(dataset: Dataset, name: str) -> None:
    """Refuse label skew for a dataset without classes.

    Raises:
        ConfigError: if the task is not classification.
    """
    if dataset.task != "classification":
        raise ConfigError(
            f"The partition {name} divides by class; the dataset's task is {dataset.task}.",
            hint="Use iid, quantity-dirichlet, quantity-power-law or natural.",
        )


def check_positive(name: str, value: float) -> None:
    """Refuse a number that is not positive and finite.

    Raises:
        ConfigError: with `name` as its key.
    """
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} is {value}; expected a positive number.", key=name)
