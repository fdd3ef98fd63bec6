"""Momentum on the server."""

from __future__ import annotations

import numpy as np

from fedcli.core.contracts import ServerOptimizer
from fedcli.core.errors import require_positive, require_share
from fedcli.core.factories import component
from fedcli.core.types import Array, Tree, Vector
from fedcli.core.vectors import in_pieces


@component
def momentum(*, learning_rate: float = 1.0, beta: float = 0.9) -> ServerOptimizer:
    """v <- beta * v + delta; w <- w + learning_rate * v.

    Args:
        learning_rate: the server's step, above 0.
        beta: share of the velocity that is kept, in [0, 1).

    Reference: Hsu et al. 2019, arXiv:1909.06335 (FedAvgM).
    """
    require_positive("learning_rate", learning_rate)
    require_share("beta", beta)

    def apply(weights: Vector, delta: Array, state: Tree, _share: float) -> tuple[Vector, Tree]:
        def step(w: Array, d: Array, before: Array) -> tuple[Array, Array]:
            # In float64, so that only what is kept between rounds is rounded.
            velocity = beta * before.astype(np.float64) + d
            return w + learning_rate * velocity, velocity

        moved, velocity = in_pieces(step, weights, delta, state["velocity"])
        return moved, {"velocity": velocity}

    return ServerOptimizer("momentum", lambda weights: {"velocity": np.zeros_like(weights)}, apply)
