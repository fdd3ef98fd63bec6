"""Checks that the strategy protects a model's non-trainable weights (section `model.non_trainable`)."""

from __future__ import annotations

from fedcli.config import Experiment
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError


def check(strategy: Strategy, experiment: Experiment, *, num_statistics: int) -> None:
    """Reject BatchNorm if the strategy protects neither its examples nor the average of its statistics.

    Args:
        strategy: with everything that surrounds it in the run.
        experiment: what the config says.
        num_statistics: number of non-trainable weights of the model.

    Raises:
        ConfigError: with the settings that would work.
    """
    if not num_statistics:
        return
    if strategy.trainer.privacy is not None:
        raise ConfigError(
            f"the model has {num_statistics} non-trainable weights. BatchNorm mixes the examples of a batch, so "
            f"{strategy.name} cannot clip the contribution of one of them.",
            key="model",
            hint="Use a model without BatchNorm; LayerNormalization and GroupNormalization keep examples apart.",
        )
    if strategy.trainer.personalise is not None:
        raise ConfigError(
            f"{strategy.name} gives every client its own model, whose BatchNorm statistics are not kept.",
            key="model",
            hint="Use a model without BatchNorm.",
        )
    # Statistics that stay with the clients, or do not move, are not sent.
    if experiment.model.non_trainable != "federated":
        return
    if experiment.encryption is not None:
        trouble = "sent in the clear beside encrypted updates"
    elif strategy.privacy_event is not None:
        trouble = "averaged and published without noise under differential privacy"
    elif not strategy.aggregator.is_sum:
        trouble = f"averaged without {strategy.aggregator.name}, so one client could move them anywhere"
    elif experiment.fixed_point is not None:
        trouble = "averaged in floating point beside the exact sum of integers"
    else:
        return
    raise ConfigError(
        f"the model has {num_statistics} non-trainable weights (BatchNorm's statistics), which would be {trouble}.",
        key="model.non_trainable",
        hint="Use model.non_trainable: local or frozen, or a model without BatchNorm.",
    )
