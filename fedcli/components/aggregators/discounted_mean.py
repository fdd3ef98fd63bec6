"""The mean of buffered asynchronous aggregation, where old updates count less."""

from __future__ import annotations

from collections.abc import Iterable

from fedcli.components.aggregators.collected import no_state
from fedcli.components.aggregators.mean import streamed_sum
from fedcli.core.contracts import Aggregator
from fedcli.core.factories import component
from fedcli.core.rounds import Aggregate, ClientUpdate
from fedcli.core.types import Tree


@component
def discounted_mean() -> Aggregator:
    """Mean over the number of updates, each scaled by its client's weight: sum_k w_k u_k and the number of k.

    Unlike in `mean`, weights below 1 make the mean itself smaller: no other update gains what an old one loses.

    Reference: Nguyen et al. 2022, arXiv:2106.06639 (FedBuff), Algorithm 1.
    """

    def aggregate(
        updates: Iterable[ClientUpdate], num_parameters: int, state: Tree
    ) -> tuple[Aggregate, Tree]:
        value, weights = streamed_sum(updates, num_parameters)
        return Aggregate(value, float(len(weights))), state

    return Aggregator(
        "discounted-mean",
        no_state,
        aggregate,
        accepts=("vector",),
        is_sum=True,
        divides_by="updates",
        takes_sums=True,
    )
