"""Local training that pulls representations towards the global model's and away from its own previous ones."""

from __future__ import annotations

from typing import Any

from fedcli.components.clients.sgd import Carry, descend
from fedcli.components.clients.trainer import Batch, ClientTrainer, Learner, Start, Trained
from fedcli.core.contracts import Extra, TrainerSpec
from fedcli.core.errors import ConfigError, require_positive
from fedcli.core.factories import component

PREVIOUS = Extra("previous", start="global")


@component
def moon(*, mu: float = 1.0, temperature: float = 0.5) -> TrainerSpec:
    """Adds mu * -log(e^(cos(z, z_global)/t) / (e^(cos(z, z_global)/t) + e^(cos(z, z_previous)/t))) to the loss.

    z is the input of the model's last layer. Before a client's first participation its previous model is
    the global one, so that the term is constant.

    Args:
        mu: weight of the contrastive term, at least 0; 0 is FedAvg.
        temperature: t, above 0.

    Reference: Li et al. 2021, arXiv:2103.16257. Deviation: no projection head is added to the model.
    """
    if not mu >= 0:
        raise ConfigError(f"mu is at least 0; received {mu}.", key="mu")
    require_positive("temperature", temperature)

    def build(learner: Learner) -> ClientTrainer:
        def contrast(start: Start, batch: Batch) -> Any:
            anchors = [
                learner.represent(weights, start.moving, batch.x)
                for weights in (start.weights, start.state[PREVIOUS.name])
            ]

            def loss(representation: Any) -> Any:
                near, far = (_cosine(representation, anchor) / temperature for anchor in anchors)
                # -log(e^n / (e^n + e^f)) = log(1 + e^(f - n)), in a form that does not overflow.
                return mu * _softplus(far - near)

            return loss

        # Without the term, since it costs two more forward passes in every step.
        trainer = descend(learner, also=contrast if mu else None)

        def final(start: Start, carry: Carry) -> Trained:
            result = trainer.final(start, carry)
            return result._replace(keeps={PREVIOUS.name: list(carry.weights)})

        return trainer._replace(final=final)

    return TrainerSpec("moon", build, keeps=(PREVIOUS,))


def _cosine(first: Any, second: Any) -> Any:
    """Cosine similarity of each example's representation, shape [B]."""
    import tensorflow as tf

    flat = (tf.reshape(z, [tf.shape(z)[0], -1]) for z in (first, second))
    # A representation of zeros has no direction; the epsilon keeps its gradient finite.
    a, b = (tf.math.l2_normalize(z, axis=1, epsilon=1e-12) for z in flat)
    return tf.reduce_sum(a * b, axis=1)


def _softplus(value: Any) -> Any:
    import tensorflow as tf

    return tf.math.softplus(value)
