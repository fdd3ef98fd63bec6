"""A step along the mean update."""

from __future__ import annotations

from fedcli.core.contracts import ServerOptimizer
from fedcli.core.errors import require_positive
from fedcli.core.factories import component
from fedcli.core.types import Array, Tree, Vector
from fedcli.core.vectors import in_pieces


@component
def sgd(*, learning_rate: float = 1.0) -> ServerOptimizer:
    """w <- w + learning_rate * delta; a learning rate of 1 is FedAvg.

    Args:
        learning_rate: the server's step, above 0.
    """
    require_positive("learning_rate", learning_rate)

    def apply(weights: Vector, delta: Array, state: Tree, _share: float) -> tuple[Vector, Tree]:
        # Rounded after the addition: the mean has digits that float32 would lose before it.
        (moved,) = in_pieces(lambda w, d: [w + learning_rate * d], weights, delta)
        return moved, state

    return ServerOptimizer("sgd", lambda _weights: {}, apply)
