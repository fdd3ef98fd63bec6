"""The server's side of SCAFFOLD."""

from __future__ import annotations

import numpy as np

from fedcli.core.contracts import ServerOptimizer
from fedcli.core.errors import require_positive
from fedcli.core.factories import component
from fedcli.core.types import Array, Tree, Vector
from fedcli.core.vectors import in_pieces


@component
def scaffold(*, learning_rate: float = 1.0) -> ServerOptimizer:
    """w <- w + learning_rate * mean delta; c <- c + |S| / N * mean change of the clients' control variates.

    The mean [2P] holds the mean delta, then the mean change. c is sent to the clients.

    Args:
        learning_rate: the server's step, above 0.

    Reference: Karimireddy et al. 2020, arXiv:1910.06378, Algorithm 1, lines 16 and 17.

    Needs: strategy={'client': {'name': 'scaffold'}}
    """
    require_positive("learning_rate", learning_rate)

    def apply(weights: Vector, mean: Array, state: Tree, share: float) -> tuple[Vector, Tree]:
        def step(w: Array, delta: Array, control: Array, change: Array) -> tuple[Array, Array]:
            # The mean change is over those who took part; the control variates of the others stayed.
            return w + learning_rate * delta, control + share * change

        delta, change = np.split(mean, 2)
        moved, control = in_pieces(step, weights, delta, state["control"], change)
        return moved, {"control": control}

    return ServerOptimizer(
        "scaffold",
        lambda weights: {"control": np.zeros_like(weights)},
        apply,
        lambda state: state,
        takes=("control",),
        gives=("control",),
        uses_share=True,
    )
