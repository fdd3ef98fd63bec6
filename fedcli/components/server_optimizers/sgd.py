"""A step along the mean update."""

from __future__ import annotations

from fedcli.core.contracts import ServerOptimizer
from fedcli.core.errors import require_positive
from fedcli.core.factories import component
from fedcli.core.types import Array, Tree, Vector
from fedcli.core.vectors import empty_vector

_PIECE = 65_536


@component
def sgd(*, learning_rate: float = 1.0) -> ServerOptimizer:
    """w <- w + learning_rate * delta; a learning rate of 1 is FedAvg.

    Args:
        learning_rate: the server's step, above 0.
    """
    require_positive("learning_rate", learning_rate)

    def apply(weights: Vector, delta: Array, state: Tree, _share: float) -> tuple[Vector, Tree]:
        moved = empty_vector(weights.size)
        # In pieces, because products and sums of a large model in float64 would be four copies of it.
        for first in range(0, weights.size, _PIECE):
            piece = slice(first, first + _PIECE)
            # Rounded after the addition: the mean has digits that float32 would lose before it.
            moved[piece] = weights[piece] + learning_rate * delta[piece]
        return moved, state

    return ServerOptimizer("sgd", lambda _weights: {}, apply)
