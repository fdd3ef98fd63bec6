"""Generated datasets whose clients are drawn when somebody asks for them, so that there may be a million of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple, final

import numpy as np
from cachetools import LRUCache

from fedcli.components.data.dataset import Array, Dataset, Rows, Task
from fedcli.core.errors import ConfigError

MOST_CLIENTS = 1_000_000
"""Most clients of a generated dataset. Their sizes are in memory, 8 bytes a client and array."""
MOST_IN_MEMORY = 10_000
"""Most clients that are drawn at once, for what needs the examples of all."""
# Drawing so much takes half a second, which `fedcli check` does too.
_MOST_BYTES = 100_000_000
# A cohort's worth: what one client draws is read for its training part, its validation part and its labels.
_CACHE_BYTES = 2**26


class Drawn(NamedTuple):
    """All examples of one client: features [n, ...] and labels or targets [n]; those for training come first."""

    x: Array
    y: Array


@final
class GeneratedDataset(Dataset):
    """A dataset of natural clients, each of which is drawn on its own. The last ones that were drawn are kept.

    The partition natural needs nothing but their sizes. Any other partition draws all clients into memory at once.

    Args:
        sizes: training examples of each client, at least one, int64 [K].
        draw: client -> its examples, the same at every call; those after `sizes[client]` are held out.
        test_clients: the held-out examples of so many clients, from the first on, are the test set.
        task: "classification" or "regression".
        num_outputs: classes, or targets of one example.
    """

    def __init__(
        self, sizes: Rows, draw: Callable[[int], Drawn], *, test_clients: int, task: Task, num_outputs: int
    ) -> None:
        kept: LRUCache[int, Drawn] = LRUCache(
            _CACHE_BYTES, getsizeof=lambda drawn: min(drawn.x.nbytes + drawn.y.nbytes, _CACHE_BYTES)
        )
        unknown = dict.fromkeys(("client_names", "columns", "target", "class_names", "test_is_public"))
        facts = {**unknown, "read_from_examples": (), "task": task, "num_outputs": num_outputs}
        own = {"_sizes": sizes, "_draw": draw, "_test_clients": min(test_clients, len(sizes))}
        # A frozen dataclass sets its own fields this way.
        for name, value in {**facts, **own, "_kept": kept, "_lock": threading.Lock()}.items():
            object.__setattr__(self, name, value)

    _sizes: Rows
    _draw: Callable[[int], Drawn]
    _test_clients: int
    _kept: LRUCache[int, Drawn]
    _lock: threading.Lock

    def __repr__(self) -> str:
        # That of a dataclass would draw everybody.
        return f"{type(self).__name__} of {len(self._sizes):,} clients"

    @property
    def has_public_test(self) -> bool:
        """Whether the test set holds no rows of clients: it does, what they hold out."""
        return False

    @property
    def client_sizes(self) -> Rows:
        """Training examples of each natural client, [K]; the examples are in the order of their clients."""
        return self._sizes

    @property
    def test_clients(self) -> int:
        """How many clients stand for all: those whose examples the test set has."""
        return self._test_clients

    @property
    def num_examples(self) -> int:
        """Training examples, N."""
        return int(self._sizes.sum())

    @cached_property
    def _ends(self) -> Rows:
        return np.cumsum(self._sizes)

    @property
    def example(self) -> tuple[Array, Array]:
        """The features [1, ...] and the label or targets of the first client's first example."""
        x, y = self.client(0)
        return x[:1], y[:1]

    def take(self, rows: Rows) -> tuple[Array, Array]:
        """The features [n, ...] and the labels or targets of some training examples.

        Args:
            rows: their numbers, [n]. One client after the other is drawn.
        """
        first, last = (rows.min(), rows.max()) if len(rows) else (0, 0)
        client, other = np.searchsorted(self._ends, (first, last), side="right").tolist()
        # Of one client, as a federation asks for them, nothing is put together.
        if client == other:
            return self._some(client, rows - (self._ends[client] - self._sizes[client]))
        owners = np.searchsorted(self._ends, rows, side="right")
        places = rows - (self._ends[owners] - self._sizes[owners])
        clients = np.unique(owners).tolist()
        taken = _joined(self._some(client, places[owners == client]) for client in clients)
        back = np.argsort(np.argsort(owners, kind="stable"), kind="stable")
        return taken.x[back], taken.y[back]

    def labels(self, rows: Rows) -> Array:
        """The labels or targets of some training examples, for which their features are drawn too."""
        return self.take(rows)[1]

    def client(self, client: int) -> Drawn:
        """All examples of one client, drawn unless it is one of the last that were."""
        with self._lock:
            kept = self._kept.get(client)
        if kept is None:
            # Outside of the lock, so that threads draw different clients at the same time.
            kept = self._draw(client)
            with self._lock:
                self._kept[client] = kept
        return kept

    def _some(self, client: int, places: Rows) -> Drawn:
        x, y = self.client(client)
        # With `take` and not by an index, which takes twice as long for rows.
        return Drawn(x.take(places, axis=0), y.take(places, axis=0))

    @cached_property
    def x(self) -> Array:
        """The features of all training examples, [N, ...]; draws all clients."""
        return self._everybody.x

    @cached_property
    def y(self) -> Array:
        """The labels or targets of all training examples, [N]; draws all clients."""
        return self._everybody.y

    @cached_property
    def client_ids(self) -> Rows:
        """The natural client of each training example, int64 [N]."""
        self._require_memory()
        return np.repeat(np.arange(len(self._sizes)), self._sizes)

    @cached_property
    def x_test(self) -> Array:
        """The features of the test set, [M, ...]; draws the clients whose examples it has."""
        return self._test.x

    @cached_property
    def y_test(self) -> Array:
        """The labels or targets of the test set, [M]."""
        return self._test.y

    @cached_property
    def _everybody(self) -> Drawn:
        self._require_memory()
        return _joined(Drawn(drawn.x[:size], drawn.y[:size]) for drawn, size in self._drawn(len(self._sizes)))

    @cached_property
    def _test(self) -> Drawn:
        # Copies, because a view would keep all that its client drew until the last one is drawn.
        return _joined(
            Drawn(drawn.x[size:].copy(), drawn.y[size:].copy())
            for drawn, size in self._drawn(self.test_clients)
        )

    def _drawn(self, clients: int) -> Iterator[tuple[Drawn, int]]:
        # Past the cache, of which one pass over everybody would leave nothing.
        return ((self._draw(client), int(self._sizes[client])) for client in range(clients))

    def _require_memory(self) -> None:
        needed = self.num_examples * self.example[0].nbytes
        if needed > _MOST_BYTES:
            raise ConfigError(
                f"the dataset draws its {len(self._sizes):,} clients when they are asked for; another partition than "
                f"natural draws all of them at once, which takes {needed / 1e6:,.0f} MB.",
                key="clients",
                hint=f"Use partition: natural, or fewer clients: {_MOST_BYTES / 1e6:.0f} MB are supported.",
            )


def check_population(clients: int, test_clients: int) -> None:
    """Refuse numbers of clients outside their ranges.

    Raises:
        ConfigError: if there is no client, or more than `MOST_CLIENTS`.
    """
    for key, number in (("clients", clients), ("test_clients", test_clients)):
        if not 1 <= number <= MOST_CLIENTS:
            raise ConfigError(f"{key} is {number}; expected 1 to {MOST_CLIENTS:,}.", key=key)


def _joined(parts: Iterator[Drawn]) -> Drawn:
    x, y = zip(*parts, strict=True)
    return Drawn(np.concatenate(x), np.concatenate(y))
