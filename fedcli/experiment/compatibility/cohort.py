"""Checks that a cohort that observes clients (section `cohort`) fits the strategy, and can be drawn from the data."""

from __future__ import annotations

from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.types import Array


def check(cohort: Cohort, strategy: Strategy, num_train: Array | None) -> None:
    """Reject a cohort that cannot be drawn, and one that observes clients where that is not supported.

    Args:
        cohort: who takes part in a round.
        strategy: with everything that surrounds it in the run.
        num_train: training examples of each client, shape [number of clients]; None if they are not known.

    Raises:
        ConfigError: with the reason and what would work.
    """
    try:
        # Only the cohort itself knows whether it can be drawn from these clients.
        remembered = {} if num_train is None else cohort.init(num_train)
    except ConfigError as error:
        raise error.under("cohort") from error
    if remembered and strategy.privacy_event is not None and not cohort.observes:
        raise ConfigError(
            f"{cohort.name} keeps a state that is made of the clients' numbers of examples, which are not noised and "
            "would be in every checkpoint.",
            key="cohort",
            hint="Use a cohort without a state, such as cohort: {name: poisson, rate: 0.1}.",
        )
    if not cohort.observes:
        return
    if strategy.privacy_event is not None:
        raise ConfigError(
            f"{cohort.name} chooses clients by figures that they report, which are not noised, and no accountant "
            "knows how likely a client is to be chosen: epsilon would be false.",
            key="cohort",
            hint="Use a cohort that chance alone decides, such as cohort: {name: poisson, rate: 0.1}, or a strategy "
            "without privacy.",
        )
    if strategy.buffer is not None:
        raise ConfigError(
            f"{strategy.name} draws the next client uniformly whenever one is done, and never asks the cohort "
            f"{cohort.name} to choose.",
            key="cohort",
            hint="Use cohort: {name: uniform, size: ...}, whose size is the number of clients at work.",
        )
    if cohort.separation > 1:
        raise ConfigError(
            f"{cohort.name} observes all clients, but would choose from one of {cohort.separation} groups that take "
            "turns.",
            key="cohort",
            hint="Use a separation of 1 in the cohort's factory.",
        )
