"""The geometric median (RFA), by the smoothed Weiszfeld algorithm."""

from __future__ import annotations

import math

from fedcli.components.aggregators.collected import Rows, collecting
from fedcli.components.aggregators.distances import distance
from fedcli.components.aggregators.median import coordinate_median
from fedcli.core.contracts import Aggregator
from fedcli.core.factories import component
from fedcli.core.ranges import require_count, require_positive_finite
from fedcli.core.sums import BlockSum
from fedcli.core.types import Array, Tree


@component
def geometric_median(*, num_iterations: int = 3, smoothing: float = 1e-6) -> Aggregator:
    """The point with the least sum of distances to the updates, weighted by example counts.

    Approximates argmin_z of sum_k w_k ||z - x_k|| by the smoothed Weiszfeld algorithm: each iteration sets
    z <- sum_k b_k x_k / sum_k b_k with b_k = w_k / max(smoothing, ||z - x_k||). No iteration makes
    the objective worse, so clients with less than half of the weight cannot move z without bound. The
    clients' order changes no bit.

    Formula: w <- w + argmin_z sum_k n_k ||z - u_k||, approximated in num_iterations steps.

    Args:
        num_iterations: passes over the updates, at least 1.
        smoothing: distance below which an update's pull stops growing, above 0 (the paper's nu).

    Raises:
        ConfigError: if a parameter is outside its range.

    Reference: Pillutla et al. 2022, arXiv:1912.13445 (RFA), Algorithm 2, with its three iterations. Clients
    state their own example counts, as in the paper: a client that lies gains weight.

    Deviations: it starts from the coordinate-wise median and not from the mean. One client could move the mean so
    far away that three iterations do not come back.

    Combines: any cohort, any model without federated BatchNorm statistics; not with encryption or central
    noise, which hide the single updates.
    """
    require_count("num_iterations", num_iterations, at_least=1)
    require_positive_finite("smoothing", smoothing)

    def combine(rows: Rows, state: Tree) -> tuple[Array | None, Tree]:
        # Without any weight there is no weighted median.
        if not any(rows.weights):
            return None, state
        point = coordinate_median(rows)
        for _ in range(num_iterations):
            pulls = [
                weight / max(smoothing, distance(vector, point))
                for vector, weight in zip(rows.vectors, rows.weights, strict=True)
            ]
            total = math.fsum(pulls)
            moved = BlockSum(point.size)
            for vector, pull in zip(rows.vectors, pulls, strict=True):
                moved.add(vector, pull / total)
            point = moved.result()
        return point, state

    return collecting("geometric-median", combine, uses_weights=True)
