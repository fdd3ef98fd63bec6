"""The weighted mean, as a streamed sum whose order is fixed."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from fedcli.core.contracts import Aggregator
from fedcli.core.factories import component
from fedcli.core.rounds import Aggregate, ClientUpdate
from fedcli.core.sums import BlockSum, IntegerSum
from fedcli.core.types import Array, Tree


@component
def mean() -> Aggregator:
    """Mean of the updates, each with its client's weight: sum_k w_k u_k and sum_k w_k.

    The sum runs in float64, in blocks of 16 clients in cohort order, so that neither the timing of
    threads nor the executor changes a bit of it. Integers carry their weights already (`fixed_point`): their
    sum is exact, and no order of arrival changes a bit.

    Reference: McMahan et al. 2017, arXiv:1602.05629 (FedAvg).
    """
    return Aggregator("mean", no_state, _weighted, accepts=("vector", "integers"), is_sum=True)


def no_state(_num_parameters: int) -> Tree:
    """The state of an aggregator that keeps none."""
    return {}


def _weighted(updates: Iterable[ClientUpdate], num_parameters: int, state: Tree) -> tuple[Aggregate, Tree]:
    value, weights = weighted_sum(updates, num_parameters)
    # Rounded once for integers, so that the order of the weights does not matter either.
    weight = math.fsum(weights) if value.dtype == np.int64 else float(sum(weights))
    return Aggregate(value, weight), state


def weighted_sum(updates: Iterable[ClientUpdate], num_parameters: int) -> tuple[Array, list[float]]:
    """sum_k w_k u_k, shape [P], and the weights w_k in the order of the updates; integers carry theirs already."""
    total: BlockSum | IntegerSum = BlockSum(num_parameters)
    weights: list[float] = []
    for update in updates:
        if not weights and update.payload.dtype == np.int64:
            total = IntegerSum(num_parameters)
        if isinstance(total, IntegerSum):
            total.add(update.payload)
        else:
            total.add(update.payload, update.weight)
        weights.append(update.weight)
    return total.result(), weights
