"""The server's side of FedNova."""

from __future__ import annotations

from fedcli.core.contracts import ServerOptimizer
from fedcli.core.errors import require_positive
from fedcli.core.factories import component
from fedcli.core.types import Array, Tree, Vector
from fedcli.core.vectors import in_pieces


@component
def fednova(*, learning_rate: float = 1.0) -> ServerOptimizer:
    """w <- w + learning_rate * tau * d, where d is the mean of normalised updates and tau of their lengths.

    The mean [P + 1] holds d, then tau.

    Args:
        learning_rate: the server's step, above 0.

    Reference: Wang et al. 2020, arXiv:2007.07481, Equation 9, with tau_eff = sum_k p_k a_k.

    Needs: strategy={'client': {'name': 'fednova'}}
    """
    require_positive("learning_rate", learning_rate)

    def apply(weights: Vector, mean: Array, state: Tree, _share: float) -> tuple[Vector, Tree]:
        # Each d_k has the length of one step; tau gives the mean the length that clients went.
        rate = learning_rate * mean[-1]
        (moved,) = in_pieces(lambda w, d: [w + rate * d], weights, mean[:-1])
        return moved, state

    return ServerOptimizer("fednova", lambda _weights: {}, apply, takes=("length",))
