"""The clients' optimizers as pairs of pure functions, because Keras's raise in `stateless_apply` on TensorFlow.

Each works on lists of tensors. State is a nest of tensors that starts anew at every participation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fedcli.core.errors import ConfigError

Tensors = Sequence[Any]


class Optimizer(NamedTuple):
    """A pair of pure functions on tensors.

    Args:
        init: weights -> state.
        update: `(gradients, weights, state, learning_rate_scale)` -> `(weights, state)`.
        learning_rate: its step before the schedule's factor.
        accumulated: number of steps -> the summed weight of all gradients in the update, in units of the learning
            rate; None if the update is not linear in the gradients.
        is_plain_sgd: whether every step follows the current gradient: SGD without momentum.
        moments: vectors as long as the weights that its state has, which `fedcli check` counts.
    """

    init: Callable[[Tensors], Any]
    update: Callable[[Tensors, Tensors, Any, Any], tuple[Tensors, Any]]
    learning_rate: float
    accumulated: Callable[[Any], Any] | None = None
    is_plain_sgd: bool = False
    moments: int = 0


def clipped(optimizer: Optimizer, norm: float) -> Optimizer:
    """The same optimizer on gradients whose joint L2 norm is cut to `norm` at every step.

    Reference: Pascanu et al. 2013, arXiv:1211.5063.
    """

    def update(gradients: Tensors, weights: Tensors, state: Any, scale: Any) -> tuple[Tensors, Any]:
        import tensorflow as tf

        return optimizer.update(tf.clip_by_global_norm(gradients, norm)[0], weights, state, scale)

    return optimizer._replace(update=update)


def require_decay(weight_decay: float) -> None:
    """Raise a `ConfigError` for a weight decay below 0."""
    if not weight_decay >= 0:
        raise ConfigError(f"weight_decay is at least 0; received {weight_decay}.", key="weight_decay")
