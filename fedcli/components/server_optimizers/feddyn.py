"""The server's side of FedDyn."""

from __future__ import annotations

import numpy as np

from fedcli.core.contracts import ServerOptimizer
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component
from fedcli.core.types import Array, Tree, Vector
from fedcli.core.vectors import in_pieces


@component
def feddyn(*, alpha: float = 0.1) -> ServerOptimizer:
    """h <- h - alpha * |S| / N * delta; w <- w + delta - h / alpha.

    Args:
        alpha: the clients' regulariser, at least 0; 0 is the plain mean.

    Reference: Acar et al. 2021, arXiv:2111.04263, Algorithm 1.
    """
    if not alpha >= 0:
        raise ConfigError(f"alpha is at least 0; received {alpha}.", key="alpha")

    def apply(weights: Vector, delta: Array, state: Tree, share: float) -> tuple[Vector, Tree]:
        # Without a regulariser there is nothing to divide by, and no dual vector to correct.
        if not alpha:
            (moved,) = in_pieces(lambda w, d: [w + d], weights, delta)
            return moved, state

        def step(w: Array, d: Array, before: Array) -> tuple[Array, Array]:
            dual = before - alpha * share * d
            return w + d - dual / alpha, dual

        moved, dual = in_pieces(step, weights, delta, state["dual"])
        return moved, {"dual": dual}

    return ServerOptimizer("feddyn", lambda weights: {"dual": np.zeros_like(weights)}, apply, uses_share=True)
