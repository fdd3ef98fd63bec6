"""Norm bounding: the mean of updates that the server scales down to a bound."""

from __future__ import annotations

import math
from collections.abc import Iterable

from fedcli.components.aggregators.collected import no_state, nothing
from fedcli.core.contracts import Aggregator
from fedcli.core.errors import require_positive
from fedcli.core.factories import component
from fedcli.core.rounds import Aggregate, ClientUpdate
from fedcli.core.sums import BlockSum
from fedcli.core.types import Tree
from fedcli.core.vectors import squared_norm


@component
def norm_bounding(*, clip_norm: float) -> Aggregator:
    """The mean of updates that the server scales down to a bound, weighted by example counts.

    It is the mean of x_k min(1, clip_norm / ||x_k||).
    A client moves the mean by at most its share of the weight times clip_norm. It is streamed in cohort order like
    the mean: a permutation of the clients changes only the rounding in float64. In a round without updates the
    model does not change.

    Formula: w <- w + sum_k n_k u_k min(1, clip_norm / ||u_k||) / sum_k n_k.

    Args:
        clip_norm: largest L2 norm at which an update counts in full, above 0 (the paper's M).

    Raises:
        ConfigError: if `clip_norm` is not above 0.

    Reference: Sun et al. 2019, arXiv:1911.07963, norm thresholding.

    Deviations: the weak noise of the paper is left out; dp-clipped has noise that is accounted for.

    Combines: any cohort, any model without federated BatchNorm statistics; not with encryption or central
    noise, for which dp-clipped lets the clients clip.

    Example: clip_norm=1.0
    """
    require_positive("clip_norm", clip_norm)

    def aggregate(
        updates: Iterable[ClientUpdate], num_parameters: int, state: Tree
    ) -> tuple[Aggregate, Tree]:
        total, weight = BlockSum(num_parameters), 0.0
        for update in updates:
            norm = math.sqrt(squared_norm(update.payload))
            factor = 1.0 if norm <= clip_norm else clip_norm / norm
            total.add(update.payload, update.weight * factor)
            # The divisor takes full weights: a clipped update must not gain influence from its clip.
            weight += update.weight
        if not weight:
            return nothing(num_parameters), state
        return Aggregate(total.result() / weight, 1.0), state

    return Aggregator("norm-bounding", no_state, aggregate, accepts=("vector",), is_sum=False)
