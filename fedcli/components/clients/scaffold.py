"""Local training corrected by control variates."""

from __future__ import annotations

from fedcli.components.clients.sgd import Carry, descend
from fedcli.components.clients.trainer import ClientTrainer, Learner, Start, Tensors, Trained
from fedcli.core.contracts import Extra, TrainerSpec
from fedcli.core.factories import component

CONTROL = Extra("control")


@component
def scaffold() -> TrainerSpec:
    """Steps along g - c_k + c; afterwards c_k <- c_k - c + (x - y_k) / (K * learning_rate), option II.

    The client keeps its control variate c_k and sends its change after the delta, in the same vector. c comes from
    the server.

    Reference: Karimireddy et al. 2020, arXiv:1910.06378, Algorithm 1.

    Needs: strategy={'server_optimizer': {'name': 'scaffold'}}
    """
    return TrainerSpec(
        "scaffold", _build, sends=(CONTROL,), keeps=(CONTROL,), receives=(CONTROL.name,), plain_sgd=True
    )


def _build(learner: Learner) -> ClientTrainer:
    def bend(gradients: Tensors, _weights: Tensors, start: Start) -> Tensors:
        own, shared = start.state[CONTROL.name], start.extras[CONTROL.name]
        return [g - c_k + c for g, c_k, c in zip(gradients, own, shared, strict=True)]

    trainer = descend(learner, bend)

    def final(start: Start, carry: Carry) -> Trained:
        result = trainer.final(start, carry)
        own, shared = start.state[CONTROL.name], start.extras[CONTROL.name]
        length = carry.steps * learner.optimizer.learning_rate * start.learning_rate_scale
        # Option II takes the mean of the gradients that were used, and needs no further pass over the data.
        change = [-c - d / length for c, d in zip(shared, result.delta, strict=True)]
        kept = [c_k + moved for c_k, moved in zip(own, change, strict=True)]
        return result._replace(sends={CONTROL.name: change}, keeps={CONTROL.name: kept})

    return trainer._replace(final=final)
