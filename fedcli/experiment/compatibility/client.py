"""Checks that the section `client` fits the strategy's local algorithm; and `model.non_trainable` with it."""

from __future__ import annotations

from fedcli.components.clients.optimizers import Optimizer
from fedcli.config import Experiment
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError
from fedcli.experiment.make import make


def check(strategy: Strategy, experiment: Experiment) -> None:
    """Reject an optimizer or a model that the local algorithm does not support.

    Raises:
        ConfigError: with the settings that would work.
    """
    trainer, part = strategy.trainer, experiment.client.optimizer
    if trainer.needs_local_statistics and experiment.model.non_trainable != "local":
        raise ConfigError(
            f"{strategy.name} keeps BatchNorm on the clients, its statistics too; model.non_trainable is "
            f"{experiment.model.non_trainable}.",
            key="model.non_trainable",
            hint="Use model.non_trainable: local.",
        )
    if not trainer.plain_sgd and not trainer.linear_steps:
        return
    optimizer: Optimizer = make("client.optimizer", part, kind=Optimizer)
    if trainer.plain_sgd and not optimizer.is_plain_sgd:
        # Momentum would carry gradients of earlier steps into later ones, which such algorithms do not undo.
        momentum = " with momentum" if part.parameters.get("momentum") else ""
        raise ConfigError(
            f"{trainer.name} needs clients whose every step follows the current gradient; the optimizer is "
            f"{part.name}{momentum}.",
            key="client.optimizer",
            hint="Use client.optimizer: {name: sgd} with momentum: 0.",
        )
    if trainer.linear_steps and optimizer.accumulated is None:
        decay = " with weight decay" if part.parameters.get("weight_decay") else ""
        raise ConfigError(
            f"{trainer.name} supports SGD without weight decay, with or without momentum; the optimizer is "
            f"{part.name}{decay}.",
            key="client.optimizer",
            hint="Use client.optimizer: {name: sgd} with weight_decay: 0.",
        )
