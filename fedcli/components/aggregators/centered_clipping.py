"""The mean of the updates' differences from last round's aggregate, each clipped."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from fedcli.components.aggregators.collected import Float64s, collect, nothing
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
    One client moves the result by at most clip_norm / n in each iteration. One iteration is streamed, in cohort
    order as the mean is, so that a permutation of the clients changes rounding in float64 only; more of
    them collect the updates, and a permutation changes no bit. In a round without updates the model stays as it
    was, and so does v.

    Args:
        clip_norm: largest L2 distance from v at which an update counts in full, above 0 (the paper's tau).
        num_iterations: passes over the updates, at least 1.

    Raises:
        ConfigError: if a parameter is outside its range.

    Reference: Karimireddy et al. 2021, arXiv:2012.10333, Algorithm 2. Unweighted, as in the paper.

    Deviations: the paper's workers send momenta of one gradient; here clients send updates of local training, and
    any momentum is that of their optimizer, which starts anew in every round.

    Combines: any cohort, any model without federated BatchNorm statistics; not with encryption or central
    noise, which hide the single updates.
    """
    require_positive("clip_norm", clip_norm)
    require_count("num_iterations", num_iterations, at_least=1)

    def aggregate(
        updates: Iterable[ClientUpdate], num_parameters: int, state: Tree
    ) -> tuple[Aggregate, Tree]:
        vectors: Iterable[Vector] = (
            (update.payload for update in updates) if num_iterations == 1 else collect(updates).vectors
        )
        centre = np.asarray(state["centre"], np.float64)
        for _ in range(num_iterations):
            moved = _step(vectors, centre, clip_norm)
            if moved is None:
                return nothing(num_parameters), state
            centre = moved
        return Aggregate(centre, 1.0), {"centre": centre.astype(np.float32)}

    return Aggregator(
        "centered-clipping", _init, aggregate, accepts=("vector",), is_sum=False, uses_weights=False
    )


def _init(num_parameters: int) -> Tree:
    return {"centre": np.zeros(num_parameters, np.float32)}


def _step(vectors: Iterable[Vector], centre: Float64s, clip_norm: float) -> Float64s | None:
    total, count = BlockSum(centre.size), 0
    for vector in vectors:
        difference = np.subtract(vector, centre, dtype=np.float64)
        norm = math.sqrt(squared_norm(difference))
        total.add(difference, 1.0 if norm <= clip_norm else clip_norm / norm)
        count += 1
    return np.asarray(centre + total.result() / count) if count else None
