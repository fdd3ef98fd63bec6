"""The weighted mean, as a streamed sum whose order is fixed."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from fedcli.core.contracts import Aggregator
from fedcli.core.rounds import Aggregate, ClientUpdate
from fedcli.core.sums import BlockSum, IntegerSum
from fedcli.core.types import Array, Tree


def mean() -> Aggregator:
    """Mean of the updates, each with its client's weight: sum_k w_k u_k and sum_k w_k.

    The sum runs in float64, in blocks of 16 clients in cohort order, so that neither the timing of
    threads nor the executor changes a bit of it. Integers carry their weights already (`fixed_point`): their
    sum is exact, and no order of arrival changes a bit.

    Reference: McMahan et al. 2017, arXiv:1602.05629 (FedAvg).
    """
    return Aggregator("mean", _no_state, _weighted, accepts=("vector", "integers"), is_sum=True)


def discounted_mean() -> Aggregator:
    """Mean over the number of updates, each scaled by its client's weight: sum_k w_k u_k and the number of k.

    Unlike in `mean`, weights below 1 make the mean itself smaller: what old updates lose, nobody gains.

    Reference: Nguyen et al. 2022, arXiv:2106.06639 (FedBuff), Algorithm 1.
    """
    return Aggregator("discounted-mean", _no_state, _discounted, accepts=("vector",), is_sum=True)


def _no_state(_num_parameters: int) -> Tree:
    return {}


def _weighted(updates: Iterable[ClientUpdate], num_parameters: int, state: Tree) -> tuple[Aggregate, Tree]:
    value, weights = _sum(updates, num_parameters)
    # Rounded once for integers, so that the order of the weights does not matter either.
    weight = math.fsum(weights) if value.dtype == np.int64 else float(sum(weights))
    return Aggregate(value, weight), state


def _discounted(updates: Iterable[ClientUpdate], num_parameters: int, state: Tree) -> tuple[Aggregate, Tree]:
    value, weights = _sum(updates, num_parameters)
    return Aggregate(value, float(len(weights))), state


def _sum(updates: Iterable[ClientUpdate], num_parameters: int) -> tuple[Array, list[float]]:
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
