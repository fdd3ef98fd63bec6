"""Adagrad on the server."""

from __future__ import annotations

from fedcli.components.server_optimizers.adaptive import adaptive
from fedcli.core.contracts import ServerOptimizer
from fedcli.core.factories import component


@component
def adagrad(*, learning_rate: float = 0.1, beta_1: float = 0.0, tau: float = 1e-3) -> ServerOptimizer:
    """The adaptive step with v <- v + d^2.

    Args:
        learning_rate: the server's step, above 0.
        beta_1: decay of the first moment, in [0, 1); 0 in the paper's experiments.
        tau: degree of adaptivity, above 0.

    Reference: Reddi et al. 2021, arXiv:2003.00295, Algorithm 2 (FedAdagrad).
    """
    return adaptive("adagrad", lambda v, square: v + square, learning_rate, beta_1, tau)
