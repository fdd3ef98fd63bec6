"""Local training with a linear and a quadratic term that align local and global minima."""

from __future__ import annotations

from fedcli.components.clients.sgd import Carry, descend
from fedcli.components.clients.trainer import ClientTrainer, Learner, Start, Tensors, Trained
from fedcli.core.contracts import Extra, TrainerSpec
from fedcli.core.errors import ConfigError
from fedcli.core.factories import component

DUAL = Extra("dual")


@component
def feddyn(*, alpha: float = 0.1) -> TrainerSpec:
    """Adds -<h_k, w> + alpha/2 ||w - w_global||^2 to the loss; then h_k <- h_k - alpha (w_k - w_global).

    Args:
        alpha: strength of the regulariser, at least 0; 0 is FedAvg.

    Reference: Acar et al. 2021, arXiv:2111.04263, Algorithm 1.
    """
    if not alpha >= 0:
        raise ConfigError(f"alpha is at least 0; received {alpha}.", key="alpha")

    def bend(gradients: Tensors, weights: Tensors, start: Start) -> Tensors:
        dual = start.state[DUAL.name]
        return [
            g - h + alpha * (w - w0)
            for g, h, w, w0 in zip(gradients, dual, weights, start.weights, strict=True)
        ]

    def build(learner: Learner) -> ClientTrainer:
        # Without the terms, and not with terms of 0, so that the bits are those of FedAvg.
        trainer = descend(learner, bend if alpha else None)

        def final(start: Start, carry: Carry) -> Trained:
            result = trainer.final(start, carry)
            kept = [h - alpha * d for h, d in zip(start.state[DUAL.name], result.delta, strict=True)]
            return result._replace(keeps={DUAL.name: kept})

        return trainer._replace(final=final)

    return TrainerSpec("feddyn", build, keeps=(DUAL,))
