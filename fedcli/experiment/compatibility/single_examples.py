"""Checks that one example reaches a private run only through what the noise covers (section `data`)."""

from __future__ import annotations

from collections.abc import Sequence

from fedcli.components.data import Dataset, Preprocessor
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError


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
