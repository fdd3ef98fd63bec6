"""AdamW on the clients."""

from __future__ import annotations

from typing import Any

from fedcli.components.clients.optimizers.optimizer import Optimizer, Tensors, require_decay
from fedcli.core.errors import require_positive, require_share


def adamw(
    *,
    learning_rate: float = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    weight_decay: float = 0.004,
) -> Optimizer:
    """Adam whose weight decay acts on the weights directly: w <- w - lr * (adam step + weight_decay * w).

    Args:
        learning_rate: step, above 0.
        beta_1: decay of the first moment, in [0, 1).
        beta_2: decay of the second moment, in [0, 1).
        epsilon: added to the root of the second moment, above 0.
        weight_decay: decay of the weights, at least 0.

    Reference: Loshchilov and Hutter 2019, arXiv:1711.05101.
    """
    require_positive("learning_rate", learning_rate)
    require_share("beta_1", beta_1)
    require_share("beta_2", beta_2)
    require_positive("epsilon", epsilon)
    require_decay(weight_decay)

    def init(weights: Tensors) -> Any:
        import tensorflow as tf

        zeros = [tf.zeros_like(weight) for weight in weights]
        # The running powers of the decays correct the bias without a power at every step.
        return zeros, zeros, tf.ones([]), tf.ones([])

    def update(gradients: Tensors, weights: Tensors, state: Any, scale: Any) -> tuple[Tensors, Any]:
        first, second, power_1, power_2 = state
        first = [beta_1 * m + (1 - beta_1) * g for m, g in zip(first, gradients, strict=True)]
        second = [beta_2 * v + (1 - beta_2) * g * g for v, g in zip(second, gradients, strict=True)]
        power_1, power_2 = power_1 * beta_1, power_2 * beta_2
        moved = [
            w - learning_rate * scale * (_adam_step(m / (1 - power_1), v / (1 - power_2)) + weight_decay * w)
            for w, m, v in zip(weights, first, second, strict=True)
        ]
        return moved, (first, second, power_1, power_2)

    def _adam_step(mean: Any, square: Any) -> Any:
        return mean / (square**0.5 + epsilon)

    return Optimizer(init, update, learning_rate, moments=2)
