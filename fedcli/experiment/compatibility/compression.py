"""Checks that the section `compression` fits the strategy."""

from __future__ import annotations

from fedcli.config import Experiment
from fedcli.core.contracts import Strategy
from fedcli.core.errors import ConfigError


def check(strategy: Strategy, experiment: Experiment) -> None:
    """Reject compression if it would break the clip of a private run, or mix values of different scales.

    Raises:
        ConfigError: with the reason.
    """
    if experiment.compression is None:
        return
    # Noise inside training protects whatever follows it; noise of a transform is scaled to the clip before it.
    if any(transform.privacy for transform in strategy.transforms):
        trouble = (
            "error feedback and rounding change an update after its clip, so the noise does not cover it"
        )
    elif strategy.trainer.sends:
        sent = ", ".join(extra.name for extra in strategy.trainer.sends)
        trouble = f"{strategy.name} sends its {sent} in one vector with the update, at another scale"
    else:
        return
    raise ConfigError(f"{trouble}.", key="compression", hint="Leave compression out of this run.")
