"""Local training with a proximal term, which keeps it near the global model."""

from __future__ import annotations

from fedcli.components.clients.sgd import descend
from fedcli.components.clients.trainer import ClientTrainer, Learner, Start, Tensors
from fedcli.core.contracts import TrainerSpec
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component


@component
def fedprox(*, mu: float = 0.01) -> TrainerSpec:
    """Adds mu/2 * ||w - w_global||^2 to the loss, that is mu * (w - w_global) to the gradient.

    Args:
        mu: strength of the proximal term, at least 0.

    Reference: Li et al. 2020, arXiv:1812.06127.
    """
    if not mu >= 0:
        raise ConfigError(f"mu is at least 0; received {mu}.", key="mu")

    def bend(gradients: Tensors, weights: Tensors, start: Start) -> Tensors:
        return [g + mu * (w - w0) for g, w, w0 in zip(gradients, weights, start.weights, strict=True)]

    def build(learner: Learner) -> ClientTrainer:
        # Without the term, and not with a term of 0, so that the bits are those of FedAvg.
        return descend(learner, bend if mu else None)

    return TrainerSpec("fedprox", build)
