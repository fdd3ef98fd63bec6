"""Yogi on the server."""

from __future__ import annotations

import numpy as np

from fedcli.components.server_optimizers.adaptive import adaptive
from fedcli.core.contracts import ServerOptimizer
from fedcli.core.errors import require_share
from fedcli.core.factories import component
from fedcli.core.types import Array


@component
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
        # Additive, where Adam's decay would forget large gradients fast and let the step jump.
        return np.asarray(v - (1 - beta_2) * square * np.sign(v - square))

    return adaptive("yogi", towards, learning_rate, beta_1, tau)
