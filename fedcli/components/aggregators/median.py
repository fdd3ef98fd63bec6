"""The coordinate-wise median."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fedcli.components.aggregators.collected import Float64s, Rows, by_coordinate, collecting
from fedcli.core.contracts import Aggregator
from fedcli.core.factories import component


@component
def median() -> Aggregator:
    """The median of each coordinate: the middle value, or the mean of the two middle ones.

    With fewer than half of the clients poisoned, every coordinate stays within the honest clients' range.
    No ties to break; the clients' order changes no bit.

    Formula: w_i <- w_i + median_k u_k[i] for every coordinate i.

    Reference: Yin et al. 2018, arXiv:1803.01498, Definition 1 and Algorithm 1. Unweighted, as in the paper.

    Deviations: clients train locally; in the paper each client sends one gradient.

    Combines: any cohort, any model without federated BatchNorm statistics; not with encryption or central
    noise, which hide the single updates.
    """
    return collecting("median", lambda rows, state: (coordinate_median(rows), state))


def coordinate_median(rows: Rows) -> Float64s:
    """The median of each coordinate over the rows, shape [P]."""

    def middle(values: npt.NDArray[np.float32]) -> Float64s:
        # If the number of values is odd, both are the same column.
        count = values.shape[1]
        low, high = values[:, (count - 1) // 2], values[:, count // 2]
        return np.asarray(np.add(low, high, dtype=np.float64) / 2)

    return by_coordinate(rows, middle)
