"""Aggregation of ciphertexts, which the server adds as they arrive and cannot read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from fedcli.core.exchange import Exchange
from fedcli.core.rounds import Aggregate, ClientUpdate
from fedcli.core.types import Tree

Aggregation = Callable[[Iterable[ClientUpdate], int, Tree], tuple[Aggregate, Tree]]


def encrypted_sum(exchange: Exchange) -> Aggregation:
    """The aggregation of an encrypted round, in place of `mean`: weights are added here, updates in the exchange.

    The value of the aggregate is empty until the transform `encrypt` has decrypted the sum.

    Args:
        exchange: the exchange of the round.

    Raises:
        VoidRoundError: while summing, if ciphertexts that passed the check cannot be added.
    """

    def aggregate(updates: Iterable[ClientUpdate], _size: int, state: Tree) -> tuple[Aggregate, Tree]:
        weights = []
        for update in updates:
            exchange.add(update.client, update.payload.tobytes())
            weights.append(update.weight)
        return Aggregate(np.zeros(0, np.int64), math.fsum(weights)), state

    return aggregate
