"""Krum's choice again and again, then a mean of each coordinate around its median."""

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
    However the f poisoned clients choose, every coordinate stays within one honest range of an honest value.
    In a round with fewer than 4f + 3 updates the model stays as it was.

    Args:
        num_byzantine: f, the number of clients in a round that may be poisoned, at least 0; needs 4f + 3 clients.

    Raises:
        ConfigError: if `num_byzantine` is negative.

    Reference: El Mhamdi et al. 2018, arXiv:1802.07927, with Krum as its base rule. Unweighted, as in the paper.

    Deviations: clients train locally, where the paper's send one gradient. The last selections leave Krum fewer
    than f + 3 updates; it looks at one neighbour there. Equal scores are decided by the updates' contents; of two
    values as near to the median the smaller one counts.

    Combines: cohorts of at least 4 num_byzantine + 3 clients, any model without federated BatchNorm statistics;
    not with encryption or central noise, which hide the single updates.

    Example: num_byzantine=2
    """
    require_count("num_byzantine", num_byzantine, at_least=0)

    def combine(rows: Rows, state: Tree) -> tuple[Array, Tree]:
        selected = _select(squared_distances(rows.vectors), num_byzantine)
        around = partial(_mean_around_median, num_dropped=2 * num_byzantine)
        return by_coordinate(rows, around, among=selected), state

    return collecting("bulyan", combine, min_clients=4 * num_byzantine + 3)


def _select(distances: Float64s, num_byzantine: int) -> list[int]:
    left = list(range(len(distances)))
    selected = []
    for _ in range(len(distances) - 2 * num_byzantine):
        scores = krum_scores(distances[np.ix_(left, left)], max(1, len(left) - num_byzantine - 2))
        selected.append(left.pop(int(np.argmin(scores))))
    return sorted(selected)


def _mean_around_median(values: npt.NDArray[np.float32], *, num_dropped: int) -> Float64s:
    count = values.shape[1]
    wide = values.astype(np.float64)
    median = (wide[:, (count - 1) // 2] + wide[:, count // 2]) / 2
    # The values are sorted, so those nearest to the median stand side by side: drop the farther end, repeatedly.
    every = np.arange(len(wide))
    low, high = np.zeros(len(wide), np.intp), np.full(len(wide), count - 1)
    for _ in range(num_dropped):
        drop_low = median - wide[every, low] > wide[every, high] - median
        low += drop_low
        high -= ~drop_low
    position = np.arange(count)
    inside = (position >= low[:, None]) & (position <= high[:, None])
    return np.asarray(np.where(inside, wide, 0.0).sum(axis=1) / (count - num_dropped))
