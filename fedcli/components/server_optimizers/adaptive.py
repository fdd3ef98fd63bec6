"""The adaptive step that Adagrad, Adam and Yogi share on the server; each has its own second moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from fedcli.core.contracts import ServerOptimizer
from fedcli.core.errors import require_positive, require_share
from fedcli.core.types import Array, Tree, Vector
from fedcli.core.vectors import in_pieces

SecondMoment: TypeAlias = Callable[[Array, Array], Array]
"""`(v, d^2)` -> v after the round, each of shape [P]."""


def adaptive(
    name: str, second_moment: SecondMoment, learning_rate: float, beta_1: float, tau: float
) -> ServerOptimizer:
    """m <- beta_1 m + (1 - beta_1) d; v <- second_moment(v, d^2); w <- w + lr * m / (sqrt(v) + tau).

    m starts at 0 and v at tau^2, as the paper requires.
    """
    require_positive("learning_rate", learning_rate)
    require_share("beta_1", beta_1)
    require_positive("tau", tau)

    def init(weights: Vector) -> Tree:
        # Not at 0 as in Adam: there is no bias correction to make up for a second moment that starts too small.
        return {"m": np.zeros_like(weights), "v": np.full_like(weights, tau**2)}

    def apply(weights: Vector, delta: Array, state: Tree, _share: float) -> tuple[Vector, Tree]:
        def step(w: Array, d: Array, m: Array, v: Array) -> tuple[Array, Array, Array]:
            # In float64, so that only what is kept between rounds is rounded.
            wide = np.asarray(d, np.float64)
            first = beta_1 * m + (1 - beta_1) * wide
            second = second_moment(v, np.square(wide))
            return w + learning_rate * first / (np.sqrt(second) + tau), first, second

        moved, m, v = in_pieces(step, weights, delta, state["m"], state["v"])
        return moved, {"m": m, "v": v}

    return ServerOptimizer(name, init, apply)
