"""The clients' optimizers, as pure pairs: Keras's own raise in `stateless_apply` on TensorFlow.

Each works on lists of tensors. State is a nest of tensors that starts anew at every participation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fedcli.core.errors import ConfigError, require_positive, require_share
from fedcli.core.factories import Registry

Tensors = Sequence[Any]


class Optimizer(NamedTuple):
    """A pair of pure functions on tensors.

    Args:
        init: weights -> state.
        update: `(gradients, weights, state, learning_rate_scale)` -> `(weights, state)`.
        learning_rate: its step before the schedule's factor.
        accumulated: number of steps -> sum of the weights that its gradients have in their update, in steps
            of the learning rate; None where gradients do not enter linearly.
        is_plain_sgd: whether every step follows the current gradient: SGD without momentum.
    """

    init: Callable[[Tensors], Any]
    update: Callable[[Tensors, Tensors, Any, Any], tuple[Tensors, Any]]
    learning_rate: float
    accumulated: Callable[[Any], Any] | None = None
    is_plain_sgd: bool = False


def clipped(optimizer: Optimizer, norm: float) -> Optimizer:
    """The same optimizer on gradients whose joint L2 norm is cut to `norm` at every step.

    Reference: Pascanu et al. 2013, arXiv:1211.5063.
    """

    def update(gradients: Tensors, weights: Tensors, state: Any, scale: Any) -> tuple[Tensors, Any]:
        import tensorflow as tf

        return optimizer.update(tf.clip_by_global_norm(gradients, norm)[0], weights, state, scale)

    return optimizer._replace(update=update)


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
    _require_decay(weight_decay)
    if nesterov and not momentum:
        raise ConfigError("nesterov looks ahead along a momentum; momentum is 0.", key="nesterov")

    def init(weights: Tensors) -> Any:
        import tensorflow as tf

        return [tf.zeros_like(weight) for weight in weights] if momentum else []

    def update(gradients: Tensors, weights: Tensors, state: Any, scale: Any) -> tuple[Tensors, Any]:
        step = learning_rate * scale
        if weight_decay:
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

    return Optimizer(
        init, update, learning_rate, None if weight_decay else accumulated, is_plain_sgd=not momentum
    )


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
    _require_decay(weight_decay)

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

    return Optimizer(init, update, learning_rate)


def _require_decay(weight_decay: float) -> None:
    if not weight_decay >= 0:
        raise ConfigError(f"weight_decay is at least 0; received {weight_decay}.", key="weight_decay")


OPTIMIZERS: Registry = {"sgd": sgd, "adam": adam, "adamw": adamw}
