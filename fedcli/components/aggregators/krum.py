"""Krum: the update that is nearest to its neighbours."""

from __future__ import annotations

import numpy as np

from fedcli.components.aggregators.collected import Float64s, Rows, collecting, mean_of
from fedcli.components.aggregators.distances import squared_distances
from fedcli.core.contracts import Aggregator
from fedcli.core.factories import component
from fedcli.core.ranges import require_count
from fedcli.core.types import Array, Tree


@component
def krum(*, num_byzantine: int) -> Aggregator:
    """The one update that is nearest to its neighbours.

    It is the update x_i with the least score s_i = sum of ||x_i - x_j||^2 over its n - f - 2 nearest others.
    Whatever the f poisoned clients send, some honest update is at most sqrt((n - f - 2) / (n - 2f - 1)) times the
    honest clients' diameter away from the result. In a round with fewer than 2f + 3 updates the model does not change.

    Formula: w <- w + u_i, with i the client of the least score s_i = sum_j ||u_i - u_j||^2 over the n -
    num_byzantine - 2 nearest j.

    Args:
        num_byzantine: f, the number of clients in a round that may be poisoned, at least 0; needs 2f + 3 clients.

    Raises:
        ConfigError: if `num_byzantine` is negative.

    Reference: Blanchard et al. 2017, arXiv:1703.02757. Unweighted, as in the paper.

    Deviations: clients train locally; in the paper each client sends one gradient. The updates' contents decide
    between equal scores; the paper takes the smaller client number.

    Combines: cohorts of at least 2 num_byzantine + 3 clients, any model without federated BatchNorm statistics;
    not with encryption or central noise, which hide the single updates.

    Example: num_byzantine=2
    """
    require_count("num_byzantine", num_byzantine, at_least=0)

    def combine(rows: Rows, state: Tree) -> tuple[Array, Tree]:
        scores = krum_scores(squared_distances(rows.vectors), len(rows.vectors) - num_byzantine - 2)
        return mean_of(rows, [int(np.argmin(scores))]), state

    return collecting("krum", combine, min_clients=2 * num_byzantine + 3)


def krum_scores(distances: Float64s, num_neighbours: int) -> Float64s:
    """Sum of each row's least squared distances to others, shape [n], from distances of shape [n, n]."""
    # A row's distance to itself is 0 and comes first.
    return np.asarray(np.sort(distances, axis=1)[:, 1 : num_neighbours + 1].sum(axis=1))
