"""Local training of the global model, and of a mixture of it with the client's own model."""

from __future__ import annotations

from typing import NamedTuple

from fedcli.components.clients.ditto import OWN
from fedcli.components.clients.sgd import Carry, descend
from fedcli.components.clients.trainer import Batch, ClientTrainer, Learner, Start, Tensor, Tensors, Trained
from fedcli.core.contracts import Extra, TrainerSpec
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component
from fedcli.core.types import Tree, Vector

# The mixture starts at `alpha`; what is kept is how far it has moved from there, which starts at zero.
SHIFT = Extra("mixture_shift", size="scalar")


class Mixture(NamedTuple):
    """The carries of the global and of the client's own model, and the mixing weight."""

    shared: Carry
    own: Carry
    alpha: Tensor


@component
def apfl(*, alpha: float = 0.5, adaptive: bool = True) -> TrainerSpec:
    """v_k moves along the gradient at alpha v_k + (1 - alpha) w, times alpha; w is trained as in FedAvg.

    The client's model is the mixture. With `adaptive`, alpha follows its own gradient
    <v_k - w, gradient at the mixture>, with the client's learning rate, once a participation as in the
    authors' code, and is kept within [0, 1].

    Args:
        alpha: mixing weight at first, in [0, 1]; 0 is FedAvg.
        adaptive: whether it adapts.

    Reference: Deng et al. 2020, arXiv:2003.13461, Algorithm 1.
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha lies in [0, 1]; received {alpha}.", key="alpha")

    def personalise(weights: Vector, state: Tree) -> Vector:
        mixing = min(max(alpha + float(state[SHIFT.name]), 0.0), 1.0)
        mixed: Vector = (mixing * state[OWN.name] + (1 - mixing) * weights).astype(weights.dtype)
        return mixed

    def build(learner: Learner) -> ClientTrainer:
        return _build(learner, alpha, adaptive)

    return TrainerSpec("apfl", build, keeps=(OWN, SHIFT), personalise=personalise, plain_sgd=adaptive)


def _build(learner: Learner, first_alpha: float, adaptive: bool) -> ClientTrainer:
    import tensorflow as tf

    shared = descend(learner)

    def mixed(alpha: Tensor, own: Tensors, weights: Tensors) -> Tensors:
        return [alpha * v + (1 - alpha) * w for v, w in zip(own, weights, strict=True)]

    def init(start: Start) -> Mixture:
        alpha = tf.clip_by_value(first_alpha + start.state[SHIFT.name], 0.0, 1.0)
        own = start._replace(weights=start.state[OWN.name])
        return Mixture(shared.init(start), shared.init(own), alpha)

    def step(start: Start, carry: Mixture, batch: Batch) -> Mixture:
        after = shared.step(start, carry.shared, batch)
        own, alpha = carry.own, carry.alpha
        # At the global weights before this step, as in the paper, and not at `after`.
        seen = learner.differentiate(mixed(alpha, own.weights, carry.shared.weights), own.moving, batch)
        weights, optimizer = learner.optimizer.update(
            [alpha * g for g in seen.gradients], own.weights, own.optimizer, start.learning_rate_scale
        )
        if adaptive:
            pairs = zip(own.weights, carry.shared.weights, seen.gradients, strict=True)
            slope = tf.add_n([tf.reduce_sum((v - w) * g) for v, w, g in pairs])
            rate = learner.optimizer.learning_rate * start.learning_rate_scale
            moved = tf.clip_by_value(alpha - rate * slope, 0.0, 1.0)
            alpha = tf.where(carry.shared.steps == 0, moved, alpha)
        kept = own._replace(weights=list(weights), moving=list(seen.moving), optimizer=optimizer)
        return Mixture(after, kept, alpha)

    def final(start: Start, carry: Mixture) -> Trained:
        keeps = {OWN.name: list(carry.own.weights), SHIFT.name: carry.alpha - first_alpha}
        return shared.final(start, carry.shared)._replace(keeps=keeps)

    return ClientTrainer(init, step, final)
