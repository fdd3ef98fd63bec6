"""Stochastic gradient descent, with or without momentum."""

from __future__ import annotations

from typing import Any

from fedcli.components.clients.optimizers.optimizer import Optimizer, Tensors, require_decay
from fedcli.core.errors import ConfigError, require_positive, require_share


def sgd(
    *, learning_rate: float = 0.05, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
) -> Optimizer:
    """v <- momentum * v + g; w <- w - lr * v, or along g + momentum * v with Nesterov.

    Args:
        learning_rate: step, above 0.
        momentum: share of the velocity that is kept, in [0, 1).
        nesterov: look ahead along the velocity; needs a momentum above 0.
        weight_decay: added to the gradient as weight_decay * w, at least 0.

    Reference: Sutskever et al. 2013, in the form of PyTorch (the rate multiplies the velocity).
    """
    require_positive("learning_rate", learning_rate)
    require_share("momentum", momentum)
    require_decay(weight_decay)
    if nesterov and not momentum:
        raise ConfigError("nesterov looks ahead along a momentum; momentum is 0.", key="nesterov")

    def init(weights: Tensors) -> Any:
        import tensorflow as tf

        # Without momentum no state is carried, which saves a copy of the model for each client.
        return [tf.zeros_like(weight) for weight in weights] if momentum else []

    def update(gradients: Tensors, weights: Tensors, state: Any, scale: Any) -> tuple[Tensors, Any]:
        step = learning_rate * scale
        if weight_decay:
            # Before the momentum, as in PyTorch; AdamW decays the weights apart from it.
            gradients = [g + weight_decay * w for g, w in zip(gradients, weights, strict=True)]
        if not momentum:
            return [w - step * g for w, g in zip(weights, gradients, strict=True)], state
        state = [momentum * v + g for v, g in zip(state, gradients, strict=True)]
        ahead = [g + momentum * v for v, g in zip(state, gradients, strict=True)] if nesterov else state
        return [w - step * d for w, d in zip(weights, ahead, strict=True)], state

    def accumulated(steps: Any) -> Any:
        if not momentum:
            return steps
        power = momentum**steps
        if nesterov:
            return (steps - momentum**2 * (1 - power) / (1 - momentum)) / (1 - momentum)
        return (steps - momentum * (1 - power) / (1 - momentum)) / (1 - momentum)

    # With weight decay, an update is not a sum of gradients, so FedNova cannot normalise it.
    return Optimizer(
        init,
        update,
        learning_rate,
        None if weight_decay else accumulated,
        is_plain_sgd=not momentum,
        moments=1 if momentum else 0,
    )
