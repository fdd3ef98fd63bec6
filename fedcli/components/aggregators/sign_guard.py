"""SignGuard: outliers are filtered by their norms and by the signs of sampled coordinates."""

from __future__ import annotations

import math

import numpy as np

from fedcli.components.aggregators.collected import Rows, collecting, mean_of
from fedcli.components.aggregators.coordinate_sampling import count_from_zero, counted, sample, stream
from fedcli.components.aggregators.mean_shift import bandwidth_of, largest_cluster
from fedcli.core.contracts import Aggregator
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component
from fedcli.core.types import Array, Tree
from fedcli.core.vectors import squared_norm


@component
def sign_guard(
    *, lower: float = 0.1, upper: float = 3.0, coordinate_share: float = 0.1, seed: int = 0
) -> Aggregator:
    """The mean of the updates whose norms and signs look like the others'.

    It is the mean of x_k min(1, M / ||x_k||) over the trusted updates, with M the median of all norms.
    An update is trusted if lower <= ||x_k|| / M <= upper and if it belongs to the largest cluster, where updates are
    compared by their shares of positive, zero and negative values at random coordinates. The result is never longer
    than M. If no update passes both filters, the model does not change. The clients' order changes no bit.

    Formula: w <- w + mean of u_k min(1, M / ||u_k||) over the trusted updates, with M the median of all norms.

    Args:
        lower: least norm over the median norm, in [0, 1].
        upper: largest norm over the median norm, at least 1.
        coordinate_share: share of the coordinates whose signs are counted, in (0, 1].
        seed: of the coordinates, which are drawn anew in every round.

    Raises:
        ConfigError: if a parameter is outside its range.

    Reference: Xu et al. 2022, arXiv:2109.05872, Algorithm 2. Unweighted, as in the paper.

    Deviations: the similarity feature is left out. The mean shift starts from every client, and its bandwidth is the
    mean distance to the (n // 2)-th nearest client; the authors' code starts on a grid and scales each feature by
    its maximum.

    Combines: any cohort, any model without federated BatchNorm statistics; not with encryption or central
    noise, which hide the single updates.
    """
    if not 0 <= lower <= 1:
        raise ConfigError(f"lower lies in [0, 1]; received {lower}.", key="lower")
    if not upper >= 1:
        raise ConfigError(f"upper is at least 1; received {upper}.", key="upper")
    if not 0 < coordinate_share <= 1:
        raise ConfigError(
            f"coordinate_share lies in (0, 1]; received {coordinate_share}.", key="coordinate_share"
        )

    def combine(rows: Rows, state: Tree) -> tuple[Array | None, Tree]:
        draw, state = counted(state)
        num_parameters = rows.vectors[0].size
        size = max(1, math.floor(coordinate_share * num_parameters))
        coordinates = sample(stream(seed, draw, "sign-guard"), size, num_parameters)
        # A generator, so that only one client's sample is in memory at a time.
        drawn = (vector[coordinates] for vector in rows.vectors)
        features = np.array([[(x > 0).mean(), (x == 0).mean(), (x < 0).mean()] for x in drawn])
        norms = np.array([math.sqrt(squared_norm(vector)) for vector in rows.vectors])
        median = float(np.median(norms))
        trusted = largest_cluster(features, bandwidth_of(features))
        trusted &= (norms >= lower * median) & (norms <= upper * median)
        if not trusted.any():
            return None, state
        # An update below `upper` may still be longer than the median; scaling it bounds its pull.
        factors = [median / norm if norm > median else 1.0 for norm in norms.tolist()]
        return mean_of(rows, np.flatnonzero(trusted).tolist(), factors=factors), state

    return collecting("sign-guard", combine, init=count_from_zero)
