"""Checks what a private strategy needs of the rest of the experiment (section `privacy`, and `strategy.delta`)."""

from __future__ import annotations

import numpy as np

from fedcli.config import Experiment
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.types import Array
from fedcli.engine.run_columns import DECLARED

_FROM_CONFIG = {column.name for column in DECLARED if column.source == "config"}


def check(strategy: Strategy, experiment: Experiment, *, cohort: Cohort, num_clients: int) -> None:
    """Reject what would make epsilon false, or publish figures without noise that should not be.

    Args:
        strategy: with everything that surrounds it in the run.
        experiment: what the config says.
        cohort: who takes part in a round.
        num_clients: size of the population.

    Raises:
        ConfigError: with the reason and what would work.
    """
    _check_accounting(strategy)
    _check_publication(strategy, experiment)
    if strategy.privacy_event is None:
        return
    _check_weights(strategy, experiment)
    planned, stop = cohort.expected_size(num_clients), experiment.early_stop
    if strategy.min_updates > planned:
        raise ConfigError(
            f"{strategy.min_updates} contributors of noise cannot be guaranteed by a cohort of {planned:g}.",
            key="strategy.contributors",
            hint="Use fewer contributors, or a larger cohort.",
        )
    if stop is not None and stop.metric not in _FROM_CONFIG:
        raise ConfigError(
            f"{stop.metric} is not noised, and would decide how many models a private run releases.",
            key="early_stop",
            hint="Leave early_stop out, and give a budget: strategy.epsilon.",
        )
    if experiment.checkpoint.every != 1 and not experiment.privacy.reproducible_noise:
        # A round that is repeated from an older checkpoint draws new noise: two releases for the price of one.
        raise ConfigError(
            "with noise from the operating system every round is kept, because a round that was released "
            f"must never be released again; checkpoint.every is {experiment.checkpoint.every}.",
            key="checkpoint.every",
            hint="Use checkpoint.every: 1, or privacy.reproducible_noise: true for a run that protects nobody.",
        )
    if planned <= 0:
        # It is the divisor of the noised sum.
        raise ConfigError(
            "the planned cohort is empty.", key="cohort", hint="Use a cohort with an expected size above 0."
        )


def check_everybody_trains(strategy: Strategy, num_train: Array) -> None:
    """Reject clients without training examples if clients add the noise: they would send neither update nor noise.

    Args:
        strategy: with everything that surrounds it in the run.
        num_train: training examples of each client, shape [number of clients].

    Raises:
        ConfigError: with the first such client.
    """
    empty = np.flatnonzero(num_train == 0)
    if empty.size and strategy.is_noised_by_clients:
        raise ConfigError(
            f"client {empty[0]} has no training examples, so it would send nothing, not even noise, and its "
            f"absence would be seen; {empty.size:,} clients have none.",
            key="data.partition",
            hint="Use a partition that gives every client examples, or a central mechanism such as dp-clipped.",
        )


def check_best(experiment: Experiment, *, has_public_test: bool) -> None:
    """Reject keeping the best checkpoints if only figures on clients' own rows could tell which these are.

    Args:
        experiment: what the config says.
        has_public_test: whether the test set holds no rows of clients.

    Raises:
        ConfigError: with what to use instead.
    """
    is_quiet, best = experiment.privacy.publish == "noised-only", experiment.checkpoint.keep_best
    if is_quiet and best is not None and not has_public_test:
        raise ConfigError(
            "which checkpoints are kept would show figures on the test set, which consists of clients' own rows; "
            "privacy.publish is noised-only.",
            key="checkpoint.keep_best",
            hint="Use checkpoint.keep_last, or data whose test set belongs to no client.",
        )


def _check_accounting(strategy: Strategy) -> None:
    names = [transform.name for transform in strategy.transforms]
    if len(set(names)) < len(names):
        raise ConfigError(
            f"a transform's state is kept by its name, and two have the same: {', '.join(names)}.",
            key="strategy",
            hint="Give each transform its own name, or leave one out.",
        )
    events = strategy.privacy_events
    if len(events) != (strategy.privacy is not None):
        raise ConfigError(
            "a private strategy has one part with a privacy event, and states its delta in `privacy`; "
            f"this one has {len(events)} and {'does' if strategy.privacy else 'does not'}.",
            key="strategy",
            hint="Without both, cohorts, divisor and epsilon would not be those of a private run.",
        )


def _check_publication(strategy: Strategy, experiment: Experiment) -> None:
    if experiment.privacy.publish == "all":
        return
    if strategy.privacy_event is None:
        raise ConfigError(
            f"{strategy.name} adds no noise, so nothing would be left to publish.",
            key="privacy.publish",
            hint="Use privacy.publish: all, or a private strategy such as dp-clipped.",
        )
    if experiment.evaluation.clients:
        raise ConfigError(
            "figures of the clients' validation examples are not noised; privacy.publish is noised-only.",
            key="evaluation.clients",
            hint="Use evaluation.clients: false; the central test set is evaluated all the same.",
        )


def _check_weights(strategy: Strategy, experiment: Experiment) -> None:
    grid = experiment.fixed_point
    counts_examples = grid is not None and grid.max_examples is not None
    if strategy.trainer.privacy is not None and counts_examples:
        raise ConfigError(
            f"{strategy.name} protects an example, and a weight by the number of examples would reveal its presence.",
            key="fixed_point.max_examples",
            hint="Leave max_examples out.",
        )
    if not strategy.aggregator.is_sum:
        raise ConfigError(
            f"central noise is calibrated to a sum; {strategy.aggregator.name} is not one.",
            key="strategy",
            hint="Use the mean as the aggregator.",
        )
    # max_examples bounds the weights, and with them what one client adds to the sum.
    if strategy.weighting != "uniform" and not counts_examples:
        raise ConfigError(
            "under differential privacy a client's weight must be bounded by the config; example counts are not.",
            key="strategy",
            hint="Use equal weights, or bound them by fixed_point: {max_examples: 100}.",
        )
