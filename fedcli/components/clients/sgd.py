"""Local training by the client's optimizer, as in FedAvg; other algorithms change its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fedcli.components.clients.trainer import Batch, ClientTrainer, Learner, Start, Tensor, Tensors, Trained
from fedcli.core.contracts import TrainerSpec
from fedcli.core.factories import component

BendGradient = Callable[[Tensors, Tensors, Start], Tensors]
"""`(gradients, weights, start)` -> gradients."""


AlsoMinimise = Callable[[Start, Batch], Callable[[Tensor], Tensor]]
"""`(start, batch)` -> a function from the batch's representation to an addition to each example's loss."""


class Carry(NamedTuple):
    """What a step hands to the next: weights, moving tensors, optimizer state, metric sums, examples, steps."""

    weights: Tensors
    moving: Tensors
    optimizer: Any
    sums: Tensor
    count: Tensor
    steps: Tensor


@component
def sgd() -> TrainerSpec:
    """Epochs of mini-batches with the client's optimizer; the update is local minus global weights."""
    return TrainerSpec("sgd", descend)


def descend(
    learner: Learner, bend: BendGradient | None = None, *, also: AlsoMinimise | None = None
) -> ClientTrainer:
    """The trainer of `sgd`, with a change to the gradient if an algorithm has one.

    Args:
        learner: the model's functions.
        bend: a change to each step's gradient, from the weights and the start.
        also: an addition to the loss, from the representation of the batch.
    """
    import tensorflow as tf

    def init(start: Start) -> Carry:
        weights = list(start.weights)
        optimizer = learner.optimizer.init(weights)
        sums = tf.zeros([learner.num_metrics])
        return Carry(weights, list(start.moving), optimizer, sums, tf.zeros([]), tf.zeros([]))

    def step(start: Start, carry: Carry, batch: Batch) -> Carry:
        addition = also(start, batch) if also else None
        seen = learner.differentiate(carry.weights, carry.moving, batch, addition)
        gradients = bend(seen.gradients, carry.weights, start) if bend else seen.gradients
        weights, optimizer = learner.optimizer.update(
            gradients, carry.weights, carry.optimizer, start.learning_rate_scale
        )
        return Carry(
            list(weights),
            list(seen.moving),
            optimizer,
            carry.sums + seen.sums,
            carry.count + seen.count,
            carry.steps + 1,
        )

    def final(start: Start, carry: Carry) -> Trained:
        delta = [local - begun for local, begun in zip(carry.weights, start.weights, strict=True)]
        # Poisson batches may all be empty.
        return Trained(delta, carry.moving, carry.sums / tf.maximum(carry.count, 1.0), {}, {})

    return ClientTrainer(init, step, final)
