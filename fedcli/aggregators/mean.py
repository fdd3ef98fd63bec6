"""The weighted mean, as a streamed sum whose order is fixed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from fedcli.core.sums import BlockSum
from fedcli.core.types import Aggregate, Aggregator, ClientUpdate, Tree


def mean() -> Aggregator:
    """Mean of the updates, each with its client's weight: sum_k w_k u_k and sum_k w_k.

    The sum runs in float64, in blocks of 16 clients in cohort order, so that neither the timing of
    threads nor the executor changes a bit of it.

    Reference: McMahan et al. 2017, arXiv:1602.05629 (FedAvg).
    """
    return Aggregator("mean", _no_state, _weighted, accepts=("vector",), is_sum=True)


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
    return Aggregate(value, float(sum(weights))), state


def _discounted(updates: Iterable[ClientUpdate], num_parameters: int, state: Tree) -> tuple[Aggregate, Tree]:
    value, weights = _sum(updates, num_parameters)
    return Aggregate(value, float(len(weights))), state


def _sum(updates: Iterable[ClientUpdate], num_parameters: int) -> tuple[npt.NDArray[np.float64], list[float]]:
    total: BlockSum = BlockSum(num_parameters)
    weights = []
    for update in updates:
        total.add(update.payload, update.weight)
        weights.append(update.weight)
    return total.result(), weights
