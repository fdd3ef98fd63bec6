"""Local training whose update counts more the worse the global model is for the client."""

from __future__ import annotations

from fedcli.components.clients.sgd import Carry, descend
from fedcli.components.clients.trainer import ClientTrainer, Learner, Start, Trained
from fedcli.core.contracts import Extra, TrainerSpec
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component

CURVATURE = Extra("curvature", size="scalar")


@component
def qfedavg(*, q: float = 1.0) -> TrainerSpec:
    """Sends F^q * d and q F^(q-1) L ||d||^2 + F^q, where F is the global model's loss on all of the client's examples.

    d is the delta and L = 1 / learning_rate; both terms are those of the paper divided by L.

    Args:
        q: how much fairness counts, at least 0; 0 is FedAvg with equal weights.

    Reference: Li et al. 2020, arXiv:1905.10497, Algorithm 2 (q-FedAvg).

    Needs: strategy={'server_optimizer': {'name': 'qfedavg'}}
    """
    if not q >= 0:
        raise ConfigError(f"q is at least 0; received {q}.", key="q")

    def build(learner: Learner) -> ClientTrainer:
        import tensorflow as tf

        trainer = descend(learner)

        def final(start: Start, carry: Carry) -> Trained:
            result = trainer.final(start, carry)
            sums, count = start.survey
            # As in the authors' code, a loss of zero is moved off zero, where F^(q-1) is infinite.
            loss = sums[0] / tf.maximum(count, 1.0) + 1e-10
            lipschitz = 1 / (learner.optimizer.learning_rate * start.learning_rate_scale)
            square = tf.add_n([tf.reduce_sum(d * d) for d in result.delta])
            curvature = q * loss ** (q - 1) * lipschitz * square + loss**q
            return result._replace(
                delta=[loss**q * d for d in result.delta], sends={CURVATURE.name: curvature}
            )

        # F is the loss of the global model, so it is measured before the first step.
        return trainer._replace(final=final, survey=True)

    return TrainerSpec("qfedavg", build, sends=(CURVATURE,), plain_sgd=True)
