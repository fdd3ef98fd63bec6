"""Adam on the clients."""

from __future__ import annotations

from fedcli.components.clients.optimizers.adamw import adamw
from fedcli.components.clients.optimizers.optimizer import Optimizer


def adam(
    *, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
) -> Optimizer:
    """Adam with bias correction.

    Args:
        learning_rate: step, above 0.
        beta_1: decay of the first moment, in [0, 1).
        beta_2: decay of the second moment, in [0, 1).
        epsilon: added to the root of the second moment, above 0.

    Reference: Kingma and Ba 2015, arXiv:1412.6980, Algorithm 1.
    """
    return adamw(learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, weight_decay=0.0)
