"""Adagrad, Adam and Yogi on the server: one step, and a rule for the second moment of each one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from fedcli.core.contracts import ServerOptimizer
from fedcli.core.errors import require_positive, require_share
from fedcli.core.types import Array, Tree, Vector

SecondMoment: TypeAlias = Callable[[Array, Array], Array]
"""`(v, d^2)` -> v after the round, each of shape [P]."""


def adagrad(*, learning_rate: float = 0.1, beta_1: float = 0.0, tau: float = 1e-3) -> ServerOptimizer:
    """The adaptive step with v <- v + d^2.

    Args:
        learning_rate: the server's step, above 0.
        beta_1: decay of the first moment, in [0, 1); 0 in the paper's experiments.
        tau: degree of adaptivity, above 0.

    Reference: Reddi et al. 2021, arXiv:2003.00295, Algorithm 2 (FedAdagrad).
    """
    return _adaptive("adagrad", lambda v, square: v + square, learning_rate, beta_1, tau)


def adam(
    *, learning_rate: float = 0.01, beta_1: float = 0.9, beta_2: float = 0.99, tau: float = 1e-3
) -> ServerOptimizer:
    """The adaptive step with v <- beta_2 v + (1 - beta_2) d^2, without bias correction.

    Args:
        learning_rate: the server's step, above 0.
        beta_1: decay of the first moment, in [0, 1).
        beta_2: decay of the second moment, in [0, 1).
        tau: degree of adaptivity, above 0.

    Reference: Reddi et al. 2021, arXiv:2003.00295, Algorithm 2 (FedAdam).
    """
    require_share("beta_2", beta_2)

    def decayed(v: Array, square: Array) -> Array:
        return beta_2 * v + (1 - beta_2) * square

    return _adaptive("adam", decayed, learning_rate, beta_1, tau)


def yogi(
    *, learning_rate: float = 0.01, beta_1: float = 0.9, beta_2: float = 0.99, tau: float = 1e-3
) -> ServerOptimizer:
    """The adaptive step with v <- v - (1 - beta_2) d^2 sign(v - d^2), so that v grows slowly.

    Args:
        learning_rate: the server's step, above 0.
        beta_1: decay of the first moment, in [0, 1).
        beta_2: weight of the old second moment, in [0, 1).
        tau: degree of adaptivity, above 0.

    Reference: Reddi et al. 2021, arXiv:2003.00295, Algorithm 2 (FedYogi).
    """
    require_share("beta_2", beta_2)

    def towards(v: Array, square: Array) -> Array:
        return np.asarray(v - (1 - beta_2) * square * np.sign(v - square))

    return _adaptive("yogi", towards, learning_rate, beta_1, tau)


def _adaptive(
    name: str, second_moment: SecondMoment, learning_rate: float, beta_1: float, tau: float
) -> ServerOptimizer:
    """m <- beta_1 m + (1 - beta_1) d; v <- second_moment(v, d^2); w <- w + lr * m / (sqrt(v) + tau).

    m starts at 0 and v at tau^2, as the paper requires.
    """
    require_positive("learning_rate", learning_rate)
    require_share("beta_1", beta_1)
    require_positive("tau", tau)

    def init(weights: Vector) -> Tree:
        return {"m": np.zeros_like(weights), "v": np.full_like(weights, tau**2)}

    def apply(weights: Vector, delta: Array, state: Tree, _share: float) -> tuple[Vector, Tree]:
        wide = np.asarray(delta, np.float64)
        m = beta_1 * state["m"] + (1 - beta_1) * wide
        v = second_moment(state["v"], np.square(wide))
        moved = weights + learning_rate * m / (np.sqrt(v) + tau)
        return moved.astype(np.float32), {"m": m.astype(np.float32), "v": v.astype(np.float32)}

    return ServerOptimizer(name, init, apply)
