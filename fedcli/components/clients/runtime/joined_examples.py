"""The training examples of several clients in one tensor, for programs that train a block of clients."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np

from fedcli.components.clients.runtime.tensors import padded_on_device
from fedcli.components.clients.trainer import Tensor
from fedcli.core.roles import FederationLike
from fedcli.core.types import Array

# Bytes and clients of a population whose examples are joined once, for all rounds.
_MOST_BYTES, _MOST_CLIENTS = 2**27, 10_000


class Joined(NamedTuple):
    """Examples of clients, one client after the other.

    Args:
        x: the examples of all of them, with padding at the end.
        y: their targets.
        first: the row of each client's first example, int64 [C].
        counts: the number of each client's examples, int64 [C].
    """

    x: Tensor
    y: Tensor
    first: Array
    counts: Array


@final
class JoinedExamples:
    """Joins clients' examples: those of a small population once, those of a large one for each block.

    Args:
        federation: the clients' data.
        num_clients: size of the population.
        num_bytes: what the examples of the population take.
    """

    def __init__(self, federation: FederationLike, *, num_clients: int, num_bytes: int) -> None:
        self._federation = federation
        is_small = 0 < num_bytes <= _MOST_BYTES and num_clients <= _MOST_CLIENTS
        self._population = range(num_clients if is_small else 0)
        self._whole: Joined | None = None
        self._lock = threading.Lock()

    def of(self, clients: Sequence[int]) -> Joined:
        """The examples of these clients, and perhaps of others; safe to call from several threads."""
        if (whole := self._joined_once()) is None:
            return self._join(clients, is_padded=True)
        places = list(clients)
        return whole._replace(first=whole.first[places], counts=whole.counts[places])

    def _joined_once(self) -> Joined | None:
        with self._lock:
            if self._whole is None and self._population:
                try:
                    self._whole = self._join(self._population, is_padded=False)
                # A custom dataset can raise anything. The client that fails is found when it is asked for in a block.
                except Exception:  # noqa: BLE001
                    self._population = range(0)
            return self._whole

    def _join(self, clients: Sequence[int], *, is_padded: bool) -> Joined:
        data = [self._federation.client(client) for client in clients]
        counts = np.array([len(own.x_train) for own in data])
        total = int(counts.sum())
        # XLA compiles a program for each length, so that there are few of them.
        length = coarse(total) if is_padded else total
        x = padded_on_device([own.x_train for own in data], length)
        y = padded_on_device([own.y_train for own in data], length)
        return Joined(x, y, np.cumsum(counts) - counts, counts)


def coarse(length: int, *, bits: int = 2) -> int:
    """The next power of two to the `bits`, so that XLA compiles few programs: of four, or of sixteen."""
    return 1 << -(-max(length - 1, 0).bit_length() // bits) * bits
