"""The exponential moving average of the global model over the rounds.

    s_t = decay * s_(t-1) + (1 - decay) * w_t,    n_t = decay * n_(t-1) + (1 - decay),    average_t = s_t / n_t

with s_0 = 0 and n_0 = 0, so that n_t = 1 - decay^t. Dividing by n_t is Adam's bias correction: the weights before
the first round have no share, and the shares of the others sum to 1.

The average is computed from the global models only. If these are released with differential privacy, the average
is post-processing and costs no further epsilon.

References: Polyak and Juditsky 1992 (SIAM J. Control Optim. 30) for averaging iterates, there with equal shares;
Izmailov et al. 2018, arXiv:1803.05407, for networks, also with equal shares; the correction: Kingma and Ba 2015,
arXiv:1412.6980. Unlike in Izmailov et al., BatchNorm's statistics are those of the global model, not recomputed.
"""

from __future__ import annotations

import numpy as np

from fedcli.core.types import Tree, Vector


def add_model(average: Tree, weights: Vector, decay: float) -> Tree:
    """The average after one more model.

    Args:
        average: s [P] in float64 and n, as `sum` and `weight`; empty before the first model.
        weights: the new model, shape [P].
        decay: factor of the shares of earlier models, in (0, 1).
    """
    # float64, because a decay near 1 adds very small shares to a large sum.
    total = weights.astype(np.float64)
    # In place: of a large model, each vector is two copies.
    total *= 1 - decay
    total += decay * average.get("sum", 0.0)
    return {
        "sum": total,
        "weight": np.float64(decay * average.get("weight", 0.0) + (1 - decay)),
    }


def mean_model(average: Tree) -> Vector:
    """The averaged weights, shape [P], after at least one model."""
    mean: Vector = (average["sum"] / average["weight"]).astype(np.float32)
    return mean
