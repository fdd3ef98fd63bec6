"""One gradient over the whole training part, added up batch by batch."""

from __future__ import annotations

from fedcli.components.clients.sgd import Carry
from fedcli.components.clients.trainer import Batch, ClientTrainer, Learner, Start, Trained
from fedcli.core.contracts import TrainerSpec
from fedcli.core.factories import component


@component
def full_gradient() -> TrainerSpec:
    """Sends minus the gradient of the mean loss over all training examples, at the global weights.

    Reference: McMahan et al. 2017, arXiv:1602.05629, Section 2 (FedSGD).
    """
    return TrainerSpec("full-gradient", _build, one_pass=True)


def _build(learner: Learner) -> ClientTrainer:
    import tensorflow as tf

    def init(start: Start) -> Carry:
        zeros = [tf.zeros_like(weight) for weight in start.weights]
        return Carry(
            zeros, list(start.moving), [], tf.zeros([learner.num_metrics]), tf.zeros([]), tf.zeros([])
        )

    def step(start: Start, carry: Carry, batch: Batch) -> Carry:
        seen = learner.differentiate(start.weights, carry.moving, batch)
        # The pass gives a mean over the batch; times its count it is a sum, and sums add up.
        sums = [total + seen.count * g for total, g in zip(carry.weights, seen.gradients, strict=True)]
        return Carry(
            sums, list(seen.moving), [], carry.sums + seen.sums, carry.count + seen.count, carry.steps
        )

    def final(_start: Start, carry: Carry) -> Trained:
        count = tf.maximum(carry.count, 1.0)
        return Trained([-total / count for total in carry.weights], carry.moving, carry.sums / count, {}, {})

    return ClientTrainer(init, step, final)
