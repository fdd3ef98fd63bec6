"""Local training of the global model, and of the client's own model, which stays near it."""

from __future__ import annotations

from typing import NamedTuple

from fedcli.components.clients.sgd import Carry, descend
from fedcli.components.clients.trainer import Batch, ClientTrainer, Learner, Start, Tensors, Trained
from fedcli.core.contracts import Extra, TrainerSpec
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component

OWN = Extra("own_model", start="global")


class DittoCarry(NamedTuple):
    """The carries of the global and of the client's own model."""

    shared: Carry
    own: Carry


@component
def ditto(*, regularization: float = 0.1) -> TrainerSpec:
    """v_k <- v_k - lr * (gradient at v_k + regularization * (v_k - w_global)), beside plain local training of w.

    Both see the same batches. Only the update of the global model is sent.

    Args:
        regularization: strength of the pull towards the global model, at least 0.

    Reference: Li et al. 2021, arXiv:2012.04221, Algorithm 1; the own model gets as many steps as the global one.
    """
    if not regularization >= 0:
        raise ConfigError(f"regularization is at least 0; received {regularization}.", key="regularization")

    def pull(gradients: Tensors, weights: Tensors, start: Start) -> Tensors:
        return [
            g + regularization * (v - w0) for g, v, w0 in zip(gradients, weights, start.weights, strict=True)
        ]

    def build(learner: Learner) -> ClientTrainer:
        shared, own = descend(learner), descend(learner, pull)

        def init(start: Start) -> DittoCarry:
            return DittoCarry(shared.init(start), own.init(start._replace(weights=start.state[OWN.name])))

        def step(start: Start, carry: DittoCarry, batch: Batch) -> DittoCarry:
            return DittoCarry(shared.step(start, carry.shared, batch), own.step(start, carry.own, batch))

        def final(start: Start, carry: DittoCarry) -> Trained:
            return shared.final(start, carry.shared)._replace(keeps={OWN.name: list(carry.own.weights)})

        return ClientTrainer(init, step, final)

    return TrainerSpec("ditto", build, keeps=(OWN,), personalise=lambda _weights, state: state[OWN.name])
