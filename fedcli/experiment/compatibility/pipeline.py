"""Checks the strategy as a whole (section `strategy`): payloads in order, clients enough, then section by section."""

from __future__ import annotations

from fedcli.config import Experiment
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.errors import ConfigError
from fedcli.experiment.compatibility import client, compression, participation, privacy


def check(strategy: Strategy, cohort: Cohort, experiment: Experiment, *, num_clients: int) -> None:
    """Reject a strategy that the rest of the experiment does not support.

    Args:
        strategy: with everything that surrounds it in the run.
        cohort: who takes part in a round.
        experiment: what the config says.
        num_clients: size of the population.

    Raises:
        ConfigError: with the reason and what would work.
    """
    _check_payloads(strategy)
    client.check(strategy, experiment)
    needed, planned = strategy.aggregator.min_clients, cohort.expected_size(num_clients)
    # A rule that works with a single client says nothing: it also works with an empty round.
    if needed > 1 and planned < needed:
        raise ConfigError(
            f"{strategy.aggregator.name} needs at least {needed} clients in a round; the cohort has {planned:g}.",
            key="cohort",
            hint=f"Use a cohort of at least {needed}, better a few more: below it one lost client voids the round.",
        )
    compression.check(strategy, experiment)
    participation.check(strategy, experiment, cohort=cohort, num_clients=num_clients)
    privacy.check(strategy, experiment, cohort=cohort, num_clients=num_clients)


def _check_payloads(strategy: Strategy) -> None:
    payload = "vector"
    for transform in strategy.transforms:
        if transform.takes != payload:
            raise ConfigError(
                f"the transform {transform.name} takes a payload of {transform.takes}; the one before it "
                f"gives {payload}.",
                key="strategy",
                hint="Change the order of the strategy's transforms.",
            )
        payload = transform.gives
    if payload not in strategy.aggregator.accepts:
        raise ConfigError(
            f"the aggregator {strategy.aggregator.name} cannot aggregate a payload of {payload}; it takes "
            f"{' or '.join(strategy.aggregator.accepts)}.",
            key="strategy",
            hint="Use another aggregator, or leave out the transform that makes this payload.",
        )
