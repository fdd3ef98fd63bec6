"""The sum of what the server cannot read: ciphertexts are added as they arrive."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from fedcli.core.exchange import Exchange
from fedcli.core.rounds import Aggregate, ClientUpdate
from fedcli.core.types import Tree

Aggregation = Callable[[Iterable[ClientUpdate], int, Tree], tuple[Aggregate, Tree]]


def encrypted_sum(exchange: Exchange) -> Aggregation:
    """What takes the place of `mean` in an encrypted round: weights are added here, updates in the exchange.

    The value of its aggregate is empty until the transform `encrypt` has opened the sum.

    Raises:
        VoidRoundError: while it sums, if ciphertexts that were checked cannot be added.
    """

    def aggregate(updates: Iterable[ClientUpdate], _size: int, state: Tree) -> tuple[Aggregate, Tree]:
        weights = []
        for update in updates:
            exchange.add(update.client, update.payload.tobytes())
            weights.append(update.weight)
        return Aggregate(np.zeros(0, np.int64), math.fsum(weights)), state

    return aggregate
