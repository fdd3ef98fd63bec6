"""DnC (divide and conquer): outliers are filtered by a singular vector of sampled coordinates."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fedcli.components.aggregators.collected import Float64s, Rows, collecting, mean_of
from fedcli.components.aggregators.coordinate_sampling import count_from_zero, counted, sample, stream
from fedcli.components.aggregators.distances import gram
from fedcli.core.contracts import Aggregator
from fedcli.core.factories import component
from fedcli.core.ranges import require_count, require_positive_finite
from fedcli.core.types import Array, Tree

_SQUARINGS = 40


@component
def dnc(
    *,
    num_byzantine: int,
    num_iterations: int = 1,
    num_coordinates: int = 10_000,
    filter_fraction: float = 1.0,
    seed: int = 0,
) -> Aggregator:
    """The mean of the updates that do not stick out along the direction in which the updates differ most.

    It is the mean of the updates that no iteration drops; each iteration drops the c f with the largest outlier
    scores. Each iteration draws coordinates, centres the updates there, takes their top right singular vector v, and
    scores s_k = <x_k - mean, v>^2. The model does not change in a round with fewer updates than needed, or if several
    iterations drop every update. The clients' order changes no bit.

    Formula: w <- w + mean of the updates that are left after the filter_fraction * num_byzantine updates with the
    largest <u_k - mean, v>^2 are dropped, with v the top right singular vector of the centred updates.

    Args:
        num_byzantine: f, the number of clients in a round that may be poisoned, at least 0; needs 2f + 1 clients.
        num_iterations: how often coordinates are drawn and updates filtered, at least 1.
        num_coordinates: coordinates of a draw, at least 1; all, if the model has no more.
        filter_fraction: c, above 0; each iteration drops c f updates, and needs more than c f clients.
        seed: of the coordinates, which are drawn anew in every round.

    Raises:
        ConfigError: if a parameter is outside its range.

    Reference: Shejwalkar and Houmansadr 2021, NDSS (Manipulating the Byzantine; no arXiv: version), Algorithm 2.
    Unweighted, as in the paper. The updates' contents decide between equal scores.

    Combines: cohorts of at least 2 num_byzantine + 1 clients, any model without federated BatchNorm statistics;
    not with encryption or central noise, which hide the single updates.

    Example: num_byzantine=2
    """
    require_count("num_byzantine", num_byzantine, at_least=0)
    require_count("num_iterations", num_iterations, at_least=1)
    require_count("num_coordinates", num_coordinates, at_least=1)
    require_positive_finite("filter_fraction", filter_fraction)
    # Rounded up: a part of a client counts as one. The margin is for float products such as 1.1 * 10.
    num_dropped = math.ceil(filter_fraction * num_byzantine - 1e-9)

    def combine(rows: Rows, state: Tree) -> tuple[Array | None, Tree]:
        draw, state = counted(state)
        rng = stream(seed, draw, "dnc")
        # Every iteration filters all updates anew; only those that pass each time are kept.
        kept = set(range(len(rows.vectors)))
        for _ in range(num_iterations):
            coordinates = sample(rng, num_coordinates, rows.vectors[0].size)
            scores = outlier_scores(np.stack([vector[coordinates] for vector in rows.vectors]))
            ranking = np.argsort(scores, kind="stable").tolist()
            kept &= set(ranking[: len(ranking) - num_dropped])
        return (mean_of(rows, kept) if kept else None), state

    needed = max(2 * num_byzantine, num_dropped) + 1
    return collecting("dnc", combine, init=count_from_zero, min_clients=needed)


def outlier_scores(values: npt.NDArray[np.float32]) -> Float64s:
    """Squared projections of the centred rows of `values`, [n, b], on their top right singular vector, with sum 1.

    They are the squared entries of the top eigenvector of the n x n Gram matrix. Squaring the matrix again and
    again leaves only that vector, with sums in a fixed order; LAPACK's sums could depend on the number of cores.
    """
    centred = values - values.mean(axis=0, dtype=np.float64)
    power = gram([centred], len(centred))
    if not power.any():
        return np.zeros(len(centred))
    power /= power.trace()
    for _ in range(_SQUARINGS):
        squared = gram([power], len(power))
        squared /= squared.trace()
        settled = np.abs(squared - power).max() < 1e-14
        power = squared
        if settled:
            break
    # The matrix is now a multiple of v v^T, so each row is a multiple of v. The row of the largest entry is the most
    # exact.
    largest = np.argmax(power.diagonal())
    return np.asarray(np.square(power[largest]) / power[largest, largest])
