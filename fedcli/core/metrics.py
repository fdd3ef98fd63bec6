"""Means and spreads over clients, in float64 and in a fixed order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def weighted_mean(rows: Sequence[Mapping[str, float]], weights: Sequence[float]) -> dict[str, float]:
    """Weighted mean of each metric over `rows`; the names are those of the first row."""
    # Without clients or without examples there is no mean.
    if not rows or math.fsum(weights) == 0:
        return {}
    return {name: mean_of([row[name] for row in rows], weights) for name in rows[0]}


def mean_of(values: Sequence[float], weights: Sequence[float]) -> float:
    """Weighted mean of one metric; the weights do not sum to 0."""
    # fsum is correctly rounded, so that the order of the clients changes no bit.
    return math.fsum(w * v for v, w in zip(values, weights, strict=True)) / math.fsum(weights)


def spread(values: Iterable[float], *, higher_is_better: bool) -> dict[str, float]:
    """How evenly one metric is spread over clients.

    Returns:
        `worst`; the deciles `p10`, `p50`, `p90`; `worst_decile`, the mean over the worst tenth of the clients
        (at least one); `variance`; and `entropy`, the entropy of the values as shares of their sum, which is
        log(number of clients) if all are equal (Li et al. 2020, arXiv:1905.10497), and NaN if a value is negative
        or all are 0.
    """
    # Sorted before anything is summed, so that the order of the clients changes no bit.
    array = np.sort(np.fromiter(values, np.float64))
    worst_first = array if higher_is_better else array[::-1]
    p10, p50, p90 = np.percentile(array, [10, 50, 90])
    return {
        "worst": float(worst_first[0]),
        "p10": float(p10),
        "p50": float(p50),
        "p90": float(p90),
        # Rounded up, so that fewer than ten clients have a worst tenth as well.
        "worst_decile": float(worst_first[: -(-len(array) // 10)].mean()),
        "variance": float(array.var()),
        "entropy": _entropy(array),
    }


def _entropy(values: npt.NDArray[np.float64]) -> float:
    total = values.sum()
    if not (np.isfinite(total) and total > 0 and values.min() >= 0):
        return math.nan
    shares = values[values > 0] / total
    # abs() turns the -0.0 of a single client into 0.0.
    return abs(float((shares * np.log(shares)).sum()))


def jsonable(value: Any) -> Any:
    """The value in a form that JSON can hold: NaN and infinity, such as a diverged loss, become null."""
    if isinstance(value, Mapping):
        return {name: jsonable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def prefixed(prefix: str, metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics under `prefix/`."""
    return {f"{prefix}/{name}": value for name, value in metrics.items()}
