"""Features mapped from their range to 0..1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.components.data.preprocessing.preprocessor import Join, Preprocessor, Statistics

RANGE: Mapping[str, Join] = {"minimum": np.minimum, "maximum": np.maximum}
"""The statistics of `range_of`, and how two clients' values are joined."""


def min_max() -> Preprocessor:
    """Map each feature's range on the client's training part to 0..1.

    A feature that is constant there becomes 0. Validation and test values may lie outside 0..1; they are
    not clipped.
    """

    def apply(x: Array, statistics: Statistics) -> Array:
        low = statistics["minimum"]
        return (x - low) / one_for_zero(statistics["maximum"] - low)

    return Preprocessor(range_of, apply, RANGE)


def range_of(x: Array) -> Statistics:
    """Minimum and maximum of each feature of `x` [n, ...], in float64."""
    exact = np.asarray(x, dtype=np.float64)
    return {"minimum": exact.min(axis=0), "maximum": exact.max(axis=0)}


def one_for_zero(divisor: Array) -> Array:
    """The divisor with 1 in place of 0, so that a constant feature is not divided."""
    return np.where(divisor > 0, divisor, 1.0)
