"""Checks that one example reaches a private run only through what the noise covers (section `data`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedcli.components.data import Dataset, Partition, Preprocessor
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError

# If so many are expected, the probability that there is none is at most 1e-13.
_CERTAINLY_EMPTY = 30.0


def check(dataset: Dataset, steps: Sequence[Preprocessor], strategy: Strategy) -> None:
    """Reject data of which one example could change the shape of the model, or the other examples.

    Args:
        dataset: as it was read.
        steps: its preprocessing.
        strategy: how the clients train, and what is noised.

    Raises:
        ConfigError: with what to declare, or the steps that would work.
    """
    noised = [step.protection for step in steps if step.protection is not None]
    if dataset.read_from_examples and (noised or strategy.privacy_event is not None):
        key, what, declaration = dataset.read_from_examples[0]
        raise ConfigError(
            f"{what} are read from all examples, so that one with a value of its own would change the shape of the "
            "model; under differential privacy the config declares them.",
            key=f"data.{key}",
            hint=f"Add for example {key}: {declaration}, from what is known without the data.",
        )
    if strategy.trainer.privacy is None:
        return
    for index, step in enumerate(steps):
        if step.pool:
            raise ConfigError(
                f"this step learns from a client's examples, so that one of them moves all others before "
                f"{strategy.name} clips their gradients; its noise covers one clipped gradient.",
                key=f"data.preprocessing.{index}",
                hint="Use constants, such as affine with a centre and a divisor, scale, or [] for features that are "
                "near 0 already.",
            )


def check_split(partition: Partition, fraction: float, strategy: Strategy) -> None:
    """Reject a validation split that certainly leaves clients without training examples, before anything is read.

    Each example has a coin of its own, and the coins of very many clients take long. `check_everybody_trains` knows
    what they say.

    Args:
        partition: which client holds which examples.
        fraction: share of the examples that clients validate on.
        strategy: how the clients train, and what is noised.

    Raises:
        ConfigError: if clients without training examples are expected, and clients add the noise.
    """
    if strategy.trainer.privacy is None or not strategy.is_noised_by_clients:
        return
    # A client that the partition left empty is not empty by its coins.
    sizes = partition.sizes[partition.sizes > 0]
    expected = float(np.power(fraction, sizes, dtype=np.float64).sum())
    if expected > _CERTAINLY_EMPTY:
        raise ConfigError(
            f"where single examples are protected, each has a coin of its own for the validation part; with "
            f"{fraction:g}, about {expected:,.0f} of {partition.num_clients:,} clients would have no training example. "
            "They would send nothing, not even noise, and their absence would be seen.",
            key="data.validation_fraction",
            hint="Use validation_fraction: 0.0, or a partition that gives clients more examples.",
        )


def warning(strategy: Strategy, *, is_custom: bool) -> str | None:
    """The warning about examples whose preparation cannot be checked; None if there is nothing to warn of.

    Args:
        strategy: how the clients train.
        is_custom: whether the clients' data come from a custom federation, which divides and prepares them itself.
    """
    if strategy.trainer.privacy is None or not is_custom:
        return None
    return (
        "the federation is a custom one: epsilon holds if none of a client's examples depends on the others, in its "
        "values or in the part that it is in, which cannot be checked."
    )
