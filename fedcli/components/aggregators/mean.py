"""The weighted mean, as a streamed sum whose order is fixed."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from fedcli.components.aggregators.collected import no_state
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

    def aggregate(
        updates: Iterable[ClientUpdate], num_parameters: int, state: Tree
    ) -> tuple[Aggregate, Tree]:
        value, weights = streamed_sum(updates, num_parameters)
        # Rounded once for integers, so that the order of the weights does not matter either.
        weight = math.fsum(weights) if value.dtype == np.int64 else float(sum(weights))
        return Aggregate(value, weight), state

    return Aggregator(
        "mean", no_state, aggregate, accepts=("vector", "integers"), is_sum=True, takes_sums=True
    )


def streamed_sum(updates: Iterable[ClientUpdate], num_parameters: int) -> tuple[Array, list[float]]:
    """The weighted sum of a stream of updates, shape [P], and the weights; integers are added as they are.

    Of a block that its worker has summed, the first update brings the sum and the others nothing.
    """
    total: BlockSum | IntegerSum = BlockSum(num_parameters)
    weights: list[float] = []
    for update in updates:
        vector = update.payload if update.summed is None else update.summed.total
        # Only the first payload tells whether this run sends floats or integers.
        if not weights and vector is not None and vector.dtype == np.int64:
            total = IntegerSum(num_parameters)
        if vector is not None and isinstance(total, IntegerSum):
            total.add(vector)
        elif vector is not None and isinstance(total, BlockSum):
            # The sum of a block has the weights in it.
            total.add(vector, update.weight if update.summed is None else 1.0, block=update.block)
        weights.append(update.weight)
        # The model is large, and the next update may be far.
        del update, vector
    return total.result(), weights
