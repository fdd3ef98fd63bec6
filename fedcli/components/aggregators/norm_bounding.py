"""The mean of updates that are scaled down to a bound."""

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
    A client moves the mean by at most its share of the weight times clip_norm. Streamed in cohort order as the
    mean is, so that a permutation of the clients changes rounding in float64 only. In a round without updates
    the model stays as it was.

    Args:
        clip_norm: largest L2 norm at which an update counts in full, above 0 (the paper's M).

    Raises:
        ConfigError: if `clip_norm` is not above 0.

    Reference: Sun et al. 2019, arXiv:1911.07963, norm thresholding.

    Deviations: without the weak noise that the paper adds; for noise that is accounted for see dp-clipped.

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
            weight += update.weight
        if not weight:
            return nothing(num_parameters), state
        return Aggregate(total.result() / weight, 1.0), state

    return Aggregator("norm-bounding", no_state, aggregate, accepts=("vector",), is_sum=False)
