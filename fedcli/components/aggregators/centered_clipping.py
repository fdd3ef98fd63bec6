"""Centered clipping: updates are clipped around the aggregate of the round before."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from fedcli.components.aggregators.collected import collect, nothing
from fedcli.core.contracts import Aggregator
from fedcli.core.errors import require_positive
from fedcli.core.factories import component
from fedcli.core.ranges import require_count
from fedcli.core.rounds import Aggregate, ClientUpdate
from fedcli.core.sums import BlockSum
from fedcli.core.types import Tree, Vector
from fedcli.core.vectors import squared_norm


@component
def centered_clipping(*, clip_norm: float = 10.0, num_iterations: int = 1) -> Aggregator:
    """The mean of the updates, each clipped around last round's aggregate.

    v <- v + 1/n sum_k (x_k - v) min(1, clip_norm / ||x_k - v||), from last round's v; 0 before the first.
    One client moves the result by at most clip_norm / n in each iteration. A single iteration is streamed in cohort
    order like the mean: a permutation of the clients changes only the rounding in float64. Several iterations
    collect the updates, and a permutation changes no bit. In a round without updates the model and v do not
    change.

    Formula: v <- v + mean_k (u_k - v) min(1, clip_norm / ||u_k - v||), num_iterations times; w <- w + v.

    Args:
        clip_norm: largest L2 distance from v at which an update counts in full, above 0 (the paper's tau).
        num_iterations: passes over the updates, at least 1.

    Raises:
        ConfigError: if a parameter is outside its range.

    Reference: Karimireddy et al. 2021, arXiv:2012.10333, Algorithm 2. Unweighted, as in the paper.

    Deviations: the paper's workers send momenta of one gradient; here clients send updates of local training.
    Momentum is then part of their optimizer, which starts anew in every round.

    Combines: any cohort, any model without federated BatchNorm statistics; not with encryption or central
    noise, which hide the single updates.
    """
    require_positive("clip_norm", clip_norm)
    require_count("num_iterations", num_iterations, at_least=1)

    def aggregate(
        updates: Iterable[ClientUpdate], num_parameters: int, state: Tree
    ) -> tuple[Aggregate, Tree]:
        # Only several passes need all updates in memory.
        vectors: Iterable[Vector] = (
            (update.payload for update in updates) if num_iterations == 1 else collect(updates).vectors
        )
        centre = np.asarray(state["centre"], np.float64)
        for _ in range(num_iterations):
            total, count = BlockSum(num_parameters), 0
            for vector in vectors:
                difference = np.subtract(vector, centre, dtype=np.float64)
                norm = math.sqrt(squared_norm(difference))
                total.add(difference, 1.0 if norm <= clip_norm else clip_norm / norm)
                count += 1
            if not count:
                return nothing(num_parameters), state
            centre = centre + total.result() / count
        # float32 halves the checkpoint, and a resumed run reads the same values as one that goes on.
        return Aggregate(centre, 1.0), {"centre": centre.astype(np.float32)}

    def init(num_parameters: int) -> Tree:
        return {"centre": np.zeros(num_parameters, np.float32)}

    return Aggregator(
        "centered-clipping", init, aggregate, accepts=("vector",), is_sum=False, uses_weights=False
    )
