"""Features with mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.components.data.preprocessing.min_max import RANGE, one_for_zero, range_of
from fedcli.components.data.preprocessing.preprocessor import Join, Preprocessor, Statistics

_MOMENTS: Mapping[str, Join] = {"count": np.add, "sum": np.add, "sum_of_squares": np.add, **RANGE}


def standardise() -> Preprocessor:
    """Give each feature mean 0 and standard deviation 1 on the client's training part.

    A feature that is constant there is centred and not divided. Sums are float64.
    """

    def fit(x: Array) -> Statistics:
        exact = np.asarray(x, dtype=np.float64)
        sums = {"sum": exact.sum(axis=0), "sum_of_squares": np.square(exact).sum(axis=0)}
        return {"count": np.asarray(len(x), np.int64), **sums, **range_of(x)}

    def apply(x: Array, statistics: Statistics) -> Array:
        mean, divisor = moments_of(statistics)
        return (x - mean) / divisor

    return Preprocessor(fit, apply, _MOMENTS)


def moments_of(statistics: Statistics) -> tuple[Array, Array]:
    """The mean of each feature and what it is divided by, from the statistics of `standardise`."""
    mean = statistics["sum"] / statistics["count"]
    variance = statistics["sum_of_squares"] / statistics["count"] - np.square(mean)
    # The subtraction's rounding error can be as large as the variance, or negative: never divide by less.
    deviation = np.sqrt(np.maximum(variance, np.finfo(np.float64).eps * np.square(mean)))
    # For the same reason a constant feature is recognised by its range and not by its variance.
    constant = statistics["minimum"] == statistics["maximum"]
    return mean, one_for_zero(np.where(constant, 0.0, deviation))
