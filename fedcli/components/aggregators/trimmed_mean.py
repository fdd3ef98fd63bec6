"""The mean of each coordinate without its extremes."""

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

# For products like 0.29 * 100, which float arithmetic puts below 29.
_MARGIN = 1e-9


@component
def trimmed_mean(*, trim: float = 0.1) -> Aggregator:
    """The mean of each coordinate after dropping its largest and smallest values.

    The k = floor(trim * n) largest and as many smallest of n values are dropped: with at most k of n clients
    poisoned, every coordinate stays within the honest clients' range. No ties to break; the clients' order
    changes no bit. In a round with too few updates to drop any, fewer than 1 / trim, the model stays as it was.

    Args:
        trim: share of clients dropped at each end, in (0, 0.5); needs 1 / trim clients.

    Raises:
        ConfigError: if `trim` is outside its range.

    Reference: Yin et al. 2018, arXiv:1803.01498, Definition 2 and Algorithm 1. Unweighted, as in the paper.

    Deviations: clients train locally, where the paper's send one gradient.

    Combines: cohorts of at least 1 / trim clients, any model without federated BatchNorm statistics; not with
    encryption or central noise, which hide the single updates.
    """
    if not 0 < trim < 0.5:
        raise ConfigError(
            f"trim lies between 0 and 0.5, both excluded; received {trim}.",
            key="trim",
            hint="To drop nobody use the mean.",
        )

    def combine(rows: Rows, state: Tree) -> tuple[Array, Tree]:
        count = len(rows.vectors)
        dropped = math.floor(trim * count + _MARGIN)

        def mean_between(values: npt.NDArray[np.float32]) -> Float64s:
            return np.asarray(values[:, dropped : count - dropped].mean(axis=1, dtype=np.float64))

        return by_coordinate(rows, mean_between), state

    # With fewer nobody is dropped: a plain mean, which one client moves at will.
    needed = math.ceil(min((1 - _MARGIN) / trim, sys.maxsize))
    return collecting("trimmed-mean", combine, min_clients=needed)
