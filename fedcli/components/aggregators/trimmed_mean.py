"""The coordinate-wise trimmed mean."""

from __future__ import annotations

import math
import sys

import numpy as np
import numpy.typing as npt

from fedcli.components.aggregators.collected import Float64s, Rows, by_coordinate, collecting
from fedcli.core.contracts import Aggregator
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component
from fedcli.core.types import Array, Tree

# For products such as 0.29 * 100, which is below 29 in float arithmetic.
_MARGIN = 1e-9


@component
def trimmed_mean(*, trim: float = 0.1) -> Aggregator:
    """The mean of each coordinate after dropping its largest and smallest values.

    Of n values the k = floor(trim * n) largest and the k smallest are dropped. With at most k poisoned clients,
    every coordinate stays within the honest clients' range. No ties to break; the clients' order changes no bit.
    In a round with fewer than 1 / trim updates none would be dropped; then the model does not change.

    Formula: w_i <- w_i + mean of u_k[i] without the floor(trim * n) largest and as many smallest of its n values,
    for every coordinate i.

    Args:
        trim: share of clients dropped at each end, in (0, 0.5); needs 1 / trim clients.

    Raises:
        ConfigError: if `trim` is outside its range.

    Reference: Yin et al. 2018, arXiv:1803.01498, Definition 2 and Algorithm 1. Unweighted, as in the paper.

    Deviations: clients train locally; in the paper each client sends one gradient.

    Combines: cohorts of at least 1 / trim clients, any model without federated BatchNorm statistics; not with
    encryption or central noise, which hide the single updates.
    """
    if not 0 < trim < 0.5:
        raise ConfigError(
            f"trim lies between 0 and 0.5, both excluded; received {trim}.",
            key="trim",
            hint="To drop no values, use the mean.",
        )

    def combine(rows: Rows, state: Tree) -> tuple[Array, Tree]:
        count = len(rows.vectors)
        # Counted among the updates that arrived; after drop-outs these are fewer than the cohort.
        dropped = math.floor(trim * count + _MARGIN)

        def mean_between(values: npt.NDArray[np.float32]) -> Float64s:
            return np.asarray(values[:, dropped : count - dropped].mean(axis=1, dtype=np.float64))

        return by_coordinate(rows, mean_between), state

    # With fewer updates no value would be dropped, and one client could move the plain mean at will.
    needed = math.ceil(min((1 - _MARGIN) / trim, sys.maxsize))
    return collecting("trimmed-mean", combine, min_clients=needed)
