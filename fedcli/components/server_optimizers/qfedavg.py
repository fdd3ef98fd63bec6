"""The server's side of q-FedAvg."""

from __future__ import annotations

from fedcli.core.contracts import ServerOptimizer
from fedcli.core.factories import component
from fedcli.core.types import Array, Tree, Vector
from fedcli.core.vectors import in_pieces


@component
def qfedavg() -> ServerOptimizer:
    """w <- w + D / h, where D is the mean of the clients' loss-weighted deltas and h of their curvatures.

    The mean [P + 1] holds D, then h. If every loss is so small that h is 0, the weights stay.

    Reference: Li et al. 2020, arXiv:1905.10497, Algorithm 2.

    Needs: strategy={'client': {'name': 'qfedavg'}}
    """

    def apply(weights: Vector, mean: Array, state: Tree, _share: float) -> tuple[Vector, Tree]:
        # 0 / 0 would be NaN, and no loss is left to reduce.
        if not mean[-1] > 0:
            return weights, state
        (moved,) = in_pieces(lambda w, d: [w + d / mean[-1]], weights, mean[:-1])
        return moved, state

    return ServerOptimizer("qfedavg", lambda _weights: {}, apply, takes=("curvature",))
