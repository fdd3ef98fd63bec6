"""The median of each coordinate."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fedcli.components.aggregators.collected import Float64s, Rows, by_coordinate, collecting
from fedcli.core.contracts import Aggregator
from fedcli.core.factories import component
from fedcli.core.types import Array, Tree


@component
def median() -> Aggregator:
    """The median of each coordinate: the middle value, or the mean of the two middle ones.

    With fewer than half of the clients poisoned, every coordinate stays within the honest clients' range.
    No ties to break; the clients' order changes no bit.

    Reference: Yin et al. 2018, arXiv:1803.01498, Definition 1 and Algorithm 1. Unweighted, as in the paper.

    Deviations: clients train locally, where the paper's send one gradient.

    Combines: any cohort, any model without federated BatchNorm statistics; not with encryption or central
    noise, which hide the single updates.
    """
    return collecting("median", _combine)


def coordinate_median(rows: Rows) -> Float64s:
    """The median of each coordinate over the rows, shape [P]."""
    return by_coordinate(rows, _middle)


def _combine(rows: Rows, state: Tree) -> tuple[Array, Tree]:
    return coordinate_median(rows), state


def _middle(values: npt.NDArray[np.float32]) -> Float64s:
    count = values.shape[1]
    low, high = values[:, (count - 1) // 2], values[:, count // 2]
    return np.asarray(np.add(low, high, dtype=np.float64) / 2)
