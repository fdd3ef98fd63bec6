"""Which parts have a meaning together; everything else is refused before any training, with a way out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedcli.components.attacks.attack import Adversary, Attack
from fedcli.config import Experiment
from fedcli.core.contracts import Cohort, Strategy
from fedcli.core.errors import ConfigError
from fedcli.core.types import Array
from fedcli.experiment.compatibility import participation as attendance


def check(strategy: Strategy, cohort: Cohort, experiment: Experiment, *, num_clients: int) -> None:
    """Refuse a pipeline without meaning.

    Raises:
        ConfigError: with the reason and what would work.
    """
    _check_payloads(strategy)
    _check_local_algorithm(strategy, experiment)
    _check_robust_cohort(strategy, cohort.expected_size(num_clients))
    _check_compression(strategy, experiment)
    _check_counted_examples(strategy, experiment)
    attendance.check(
        strategy, experiment, cohort=cohort, event=strategy.privacy_event, num_clients=num_clients
    )
    _check_accounting(strategy)
    _check_publication(strategy, experiment)
    if strategy.privacy_event is None:
        return
    _check_private_sum(strategy, experiment)
    if strategy.min_updates > cohort.expected_size(num_clients):
        raise ConfigError(
            f"{strategy.min_updates} contributors of noise cannot be guaranteed by a cohort of "
            f"{cohort.expected_size(num_clients):g}.",
            key="strategy.contributors",
            hint="Use fewer contributors, or a larger cohort.",
        )
    stop = experiment.early_stop
    if stop is not None and stop.metric not in ("round", "epsilon"):
        raise ConfigError(
            f"{stop.metric} is not noised, and would decide how many models a private run releases.",
            key="early_stop",
            hint="Leave early_stop out, and give a budget: strategy.epsilon.",
        )
    if experiment.checkpoint.every != 1 and not experiment.privacy.reproducible_noise:
        raise ConfigError(
            "with noise from the operating system every round is kept, because a round that was released "
            f"must never be released again; checkpoint.every is {experiment.checkpoint.every}.",
            key="checkpoint.every",
            hint="Use checkpoint.every: 1, or privacy.reproducible_noise: true for a run that protects nobody.",
        )
    if cohort.expected_size(num_clients) <= 0:
        raise ConfigError(
            "the planned cohort is empty.", key="cohort", hint="Use a cohort with an expected size above 0."
        )


def check_statistics(strategy: Strategy, experiment: Experiment, *, num_statistics: int) -> None:
    """Refuse averages of clients' BatchNorm statistics that the strategy does not protect.

    Raises:
        ConfigError: with the settings that would work.
    """
    if num_statistics and strategy.trainer.privacy is not None:
        raise ConfigError(
            f"the model has {num_statistics} non-trainable weights; BatchNorm mixes the examples of a batch, so "
            f"that {strategy.name} could not clip what one of them does.",
            key="model",
            hint="Use a model without BatchNorm; LayerNormalization and GroupNormalization keep examples apart.",
        )
    if num_statistics and strategy.trainer.personalise is not None:
        raise ConfigError(
            f"{strategy.name} gives every client a model of its own, whose BatchNorm statistics are not kept.",
            key="model",
            hint="Use a model without BatchNorm.",
        )
    if not num_statistics or experiment.model.non_trainable != "federated":
        return
    if experiment.encryption is not None:
        trouble = "sent in the clear beside encrypted updates"
    elif strategy.privacy_event is not None:
        trouble = "averaged and published without noise under differential privacy"
    elif not strategy.aggregator.is_sum:
        trouble = f"averaged without {strategy.aggregator.name}, so that one client could move them anywhere"
    elif experiment.fixed_point is not None:
        trouble = "averaged beside the exact sum of integers, in floating point"
    else:
        return
    raise ConfigError(
        f"the model has {num_statistics} non-trainable weights (BatchNorm's statistics), which would be {trouble}.",
        key="model.non_trainable",
        hint="Use model.non_trainable: local or frozen, or a model without BatchNorm.",
    )


def check_everybody_trains(strategy: Strategy, num_train: Array) -> None:
    """Refuse clients without training examples where clients add the noise: they would send none.

    Raises:
        ConfigError: with the first such client.
    """
    empty = np.flatnonzero(num_train == 0)
    if empty.size and strategy.is_noised_by_clients:
        raise ConfigError(
            f"client {empty[0]} has no training examples, so that it would send nothing, noise neither, and its "
            f"absence would be seen; so have {empty.size:,} clients.",
            key="data.partition",
            hint="Use a partition that gives every client examples, or a central mechanism such as dp-clipped.",
        )


def check_attack(
    adversary: Adversary | None,
    strategy: Strategy,
    cohort: Cohort,
    metrics: Sequence[str],
    *,
    num_clients: int,
) -> None:
    """Refuse an attack that would be none, whose success could not be counted, or that breaks a promise of privacy.

    Raises:
        ConfigError: with what would work.
    """
    if adversary is None:
        return
    _check_cheat(adversary.attack, strategy)
    _check_strength(adversary, round(cohort.expected_size(num_clients)), num_clients)
    attack = adversary.attack
    if attack.looks_at_others and strategy.privacy_event is not None:
        raise ConfigError(
            f"{attack.name} crafts what it sends from what honest clients send, so that one client would move the "
            "sum by more than its own clipped update, and epsilon would be false.",
            key="attack",
            hint="Use an attack that looks at one client at a time: sign-flip, gaussian, boost or backdoor.",
        )
    if attack.trigger is None or "accuracy" in metrics:
        return
    raise ConfigError(
        f"the success of {adversary.attack.name} is counted by the metric accuracy; task.metrics has "
        f"{', '.join(metrics) or 'none'}.",
        key="task.metrics",
        hint="Leave task.metrics out, or add accuracy to it.",
    )


def _check_strength(adversary: Adversary, planned: int, num_clients: int) -> None:
    malicious = round(planned * len(adversary.clients) / num_clients)
    objection = adversary.attack.objection
    reason = objection(planned, malicious) if objection else None
    if reason is not None:
        raise ConfigError(f"{reason}.", key="attack", hint="Give the attack's own strength, such as z: 1.5.")


def _check_cheat(attack: Attack, strategy: Strategy) -> None:
    """Refuse an attack on proofs where there are none, and one that finds no transform to bend."""
    if attack.on_proofs and not any(transform.name == "prove" for transform in strategy.transforms):
        raise ConfigError(
            f"{attack.name} attacks what proves that updates keep their bound, and this run has no proofs.",
            key="attack",
            hint="Add proofs: norm-bound and a fixed_point, or use another attack, such as boost.",
        )
    if attack.cheat is None:
        return
    try:
        attack.cheat(strategy.transforms)
    except ConfigError as error:
        raise error.under("attack") from error


def _check_compression(strategy: Strategy, experiment: Experiment) -> None:
    if experiment.compression is None:
        return
    if any(transform.privacy for transform in strategy.transforms):
        trouble = (
            "error feedback and rounding move an update after it was clipped, so that noise does not cover it"
        )
    elif strategy.trainer.sends:
        sent = ", ".join(extra.name for extra in strategy.trainer.sends)
        trouble = (
            f"{strategy.name} sends its {sent} in one vector with the update, where another scale would rule"
        )
    else:
        return
    raise ConfigError(f"{trouble}.", key="compression", hint="Leave compression out of this run.")


def _check_counted_examples(strategy: Strategy, experiment: Experiment) -> None:
    grid = experiment.fixed_point
    if strategy.trainer.privacy is None or grid is None or grid.max_examples is None:
        return
    raise ConfigError(
        f"{strategy.name} protects an example, whose presence a weight by the number of examples would show.",
        key="fixed_point.max_examples",
        hint="Leave max_examples out.",
    )


def _check_local_algorithm(strategy: Strategy, experiment: Experiment) -> None:
    trainer, optimizer = strategy.trainer, experiment.client.optimizer
    if trainer.plain_sgd and (optimizer.name != "sgd" or optimizer.parameters.get("momentum")):
        raise ConfigError(
            f"{trainer.name} divides by the clients' learning rate, so that they must step along their "
            f"gradient; the optimizer is {optimizer.name}"
            f"{' with momentum' if optimizer.name == 'sgd' else ''}.",
            key="client.optimizer",
            hint="Use client.optimizer: {name: sgd} with momentum: 0.",
        )
    if trainer.linear_steps and (optimizer.name != "sgd" or optimizer.parameters.get("weight_decay")):
        raise ConfigError(
            f"{trainer.name} knows how far SGD goes, with or without momentum, but not {optimizer.name}"
            f"{' with weight decay' if optimizer.name == 'sgd' else ''}.",
            key="client.optimizer",
            hint="Use client.optimizer: {name: sgd} with weight_decay: 0.",
        )
    if strategy.name == "fedbn" and experiment.model.non_trainable != "local":
        raise ConfigError(
            "fedbn leaves BatchNorm with the clients, its statistics too; model.non_trainable is "
            f"{experiment.model.non_trainable}.",
            key="model.non_trainable",
            hint="Use model.non_trainable: local.",
        )


def _check_robust_cohort(strategy: Strategy, planned: float) -> None:
    needed = strategy.aggregator.min_clients
    if needed == 1 or planned >= needed:
        return
    raise ConfigError(
        f"{strategy.aggregator.name} needs at least {needed} clients in a round; the cohort has {planned:g}.",
        key="cohort",
        hint=f"Use a cohort of at least {needed}, better a few more: below it one lost client voids the round.",
    )


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
            f"the aggregator {strategy.aggregator.name} has no meaning for a payload of {payload}; it takes "
            f"{' or '.join(strategy.aggregator.accepts)}.",
            key="strategy",
            hint="Use another aggregator, or leave out the transform that makes this payload.",
        )


def _check_accounting(strategy: Strategy) -> None:
    names = [transform.name for transform in strategy.transforms]
    if len(set(names)) < len(names):
        raise ConfigError(
            f"a transform's state is kept by its name, and two have the same: {', '.join(names)}.",
            key="strategy",
            hint="Give them names of their own, or leave one out.",
        )
    events = strategy.privacy_events
    if len(events) == (strategy.privacy is not None):
        return
    raise ConfigError(
        "a strategy that is private has one part with a privacy event, and states its delta in `privacy`; "
        f"this one has {len(events)} and {'does' if strategy.privacy else 'does not'}.",
        key="strategy",
        hint="Without both, cohorts, divisor and epsilon would not be those of a private run.",
    )


def _check_publication(strategy: Strategy, experiment: Experiment) -> None:
    if experiment.privacy.publish == "all":
        return
    if strategy.privacy_event is None:
        raise ConfigError(
            f"{strategy.name} adds no noise, so that nothing would be left to publish.",
            key="privacy.publish",
            hint="Use privacy.publish: all, or a private strategy such as dp-clipped.",
        )
    if experiment.evaluation.clients:
        raise ConfigError(
            "figures of the clients' validation examples are not noised; privacy.publish is noised-only.",
            key="evaluation.clients",
            hint="Use evaluation.clients: false; the central test set is evaluated all the same.",
        )


def _check_private_sum(strategy: Strategy, experiment: Experiment) -> None:
    if not strategy.aggregator.is_sum:
        raise ConfigError(
            f"central noise is calibrated to a sum; {strategy.aggregator.name} is not one.",
            key="strategy",
            hint="Use the mean as the aggregator.",
        )
    bounded = experiment.fixed_point is not None and experiment.fixed_point.max_examples is not None
    if strategy.weighting != "uniform" and not bounded:
        raise ConfigError(
            "under differential privacy a client's weight must be bounded by the config; example counts are not.",
            key="strategy",
            hint="Use equal weights, or bound them by fixed_point: {max_examples: 100}.",
        )
