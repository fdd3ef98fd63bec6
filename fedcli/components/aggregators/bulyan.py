"""Bulyan: repeated selection by Krum, then a mean of each coordinate around its median."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from fedcli.components.aggregators.collected import Float64s, Rows, by_coordinate, collecting
from fedcli.components.aggregators.distances import squared_distances
from fedcli.components.aggregators.krum import krum_scores
from fedcli.core.contracts import Aggregator
from fedcli.core.factories import component
from fedcli.core.ranges import require_count
from fedcli.core.types import Array, Tree


@component
def bulyan(*, num_byzantine: int) -> Aggregator:
    """Krum's choice, repeated, and a mean of each coordinate around its median.

    Selects n - 2f updates by Krum, one at a time; then takes the mean of the n - 4f values nearest to the median.
    Whatever the f poisoned clients send, every coordinate stays within one honest range of an honest value.
    In a round with fewer than 4f + 3 updates the model does not change.

    Formula: w_i <- w_i + mean of the n - 4 num_byzantine values nearest to the median of coordinate i, among the
    n - 2 num_byzantine updates that Krum selects one at a time.

    Args:
        num_byzantine: f, the number of clients in a round that may be poisoned, at least 0; needs 4f + 3 clients.

    Raises:
        ConfigError: if `num_byzantine` is negative.

    Reference: El Mhamdi et al. 2018, arXiv:1802.07927, with Krum as its base rule. Unweighted, as in the paper.

    Deviations: clients train locally; in the paper each client sends one gradient. The last selections leave Krum
    fewer than f + 3 updates; it looks at one neighbour then. The updates' contents decide between equal scores. If
    two values are equally near to the median, the smaller one is kept.

    Combines: cohorts of at least 4 num_byzantine + 3 clients, any model without federated BatchNorm statistics;
    not with encryption or central noise, which hide the single updates.

    Example: num_byzantine=2
    """
    require_count("num_byzantine", num_byzantine, at_least=0)

    def combine(rows: Rows, state: Tree) -> tuple[Array, Tree]:
        distances = squared_distances(rows.vectors)
        left = list(range(len(distances)))
        selected: list[int] = []
        for _ in range(len(distances) - 2 * num_byzantine):
            # Near the end fewer than f + 3 updates are left, and the usual number of neighbours would be 0 or less.
            num_neighbours = max(1, len(left) - num_byzantine - 2)
            scores = krum_scores(distances[np.ix_(left, left)], num_neighbours)
            selected.append(left.pop(int(np.argmin(scores))))
        around = partial(_mean_around_median, num_dropped=2 * num_byzantine)
        # Sorted, so that the order of selection plays no part in the sums.
        return by_coordinate(rows, around, among=sorted(selected)), state

    return collecting("bulyan", combine, min_clients=4 * num_byzantine + 3)


def _mean_around_median(values: npt.NDArray[np.float32], *, num_dropped: int) -> Float64s:
    count = values.shape[1]
    wide = values.astype(np.float64)
    median = (wide[:, (count - 1) // 2] + wide[:, count // 2]) / 2
    # The values are sorted, so those nearest to the median are neighbours: drop the farther end, repeatedly.
    every = np.arange(len(wide))
    low, high = np.zeros(len(wide), np.intp), np.full(len(wide), count - 1)
    for _ in range(num_dropped):
        drop_low = median - wide[every, low] > wide[every, high] - median
        low += drop_low
        high -= ~drop_low
    position = np.arange(count)
    inside = (position >= low[:, None]) & (position <= high[:, None])
    return np.asarray(np.where(inside, wide, 0.0).sum(axis=1) / (count - num_dropped))
