"""Adam on the server."""

from __future__ import annotations

from fedcli.components.server_optimizers.adaptive import adaptive
from fedcli.core.contracts import ServerOptimizer
from fedcli.core.errors import require_share
from fedcli.core.factories import component
from fedcli.core.types import Array


@component
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

    return adaptive("adam", decayed, learning_rate, beta_1, tau)
