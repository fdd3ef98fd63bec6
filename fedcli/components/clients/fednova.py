"""Local training whose update is divided by the client's effective number of steps."""

from __future__ import annotations

from typing import Any

from fedcli.components.clients.sgd import Carry, descend
from fedcli.components.clients.trainer import ClientTrainer, Learner, Start, Trained
from fedcli.core.contracts import Extra, TrainerSpec
from fedcli.core.factories import component

LENGTH = Extra("length", size="scalar")


@component
def fednova() -> TrainerSpec:
    """Sends d_k = delta_k / a_k and a_k, the sum of the weights that its gradients had in its update.

    For SGD a_k is the number of steps tau_k; with momentum rho it is
    (tau_k - rho (1 - rho^tau_k) / (1 - rho)) / (1 - rho).

    Reference: Wang et al. 2020, arXiv:2007.07481, Section 4.

    Needs: strategy={'server_optimizer': {'name': 'fednova'}}
    """
    return TrainerSpec("fednova", _build, sends=(LENGTH,), linear_steps=True)


def _build(learner: Learner) -> ClientTrainer:
    trainer = descend(learner)
    # Not None: every SGD without weight decay defines it, and other optimizers are refused before the model is built.
    accumulated: Any = learner.optimizer.accumulated

    def final(start: Start, carry: Carry) -> Trained:
        result = trainer.final(start, carry)
        length = accumulated(carry.steps)
        return result._replace(delta=[d / length for d in result.delta], sends={LENGTH.name: length})

    return trainer._replace(final=final)
