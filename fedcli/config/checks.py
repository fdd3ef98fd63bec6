"""Checks of values that must fit together, made before any data is read."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fedcli.core.errors import ConfigError


def cross_checks(values: object) -> Iterator[ConfigError]:
    """The contradictions between the values of a resolved config.

    Args:
        values: nested mappings, as `flat` returns them. They need not be valid: the schema reports wrong types, so
            a check passes over them.
    """
    for check in (
        _cohort_size,
        _client_evaluation,
        _early_stop,
        _stops_at_all,
        _keep_best,
        _epochs_or_steps,
        _malicious,
    ):
        error = check(values)
        if error:
            yield error


def _cohort_size(values: object) -> ConfigError | None:
    size, clients = _get(values, "cohort.size"), _get(values, "data.partition.clients")
    # A bool is an int to isinstance, and here it is a wrong value.
    if type(size) is not int or type(clients) is not int or size <= clients:
        return None
    return ConfigError(
        f"a cohort is drawn without replacement from the clients; data.partition.clients is {clients}.",
        key="cohort.size",
        hint=f"Use cohort.size <= {clients}, or data.partition.clients of at least {size}.",
    )


def _client_evaluation(values: object) -> ConfigError | None:
    if not _get(values, "evaluation.clients") or _get(values, "data.validation_fraction") != 0:
        return None
    return ConfigError(
        "clients are evaluated on their validation examples; data.validation_fraction is 0.",
        key="evaluation.clients",
        hint="Use data.validation_fraction above 0, such as 0.2, or evaluation.clients: false.",
    )


def _early_stop(values: object) -> ConfigError | None:
    metric = _get(values, "early_stop.metric")
    if not isinstance(metric, str) or not metric.startswith("validation/"):
        return None
    if _get(values, "evaluation.clients"):
        return None
    return ConfigError(
        "validation metrics are measured on the clients; evaluation.clients is false.",
        key="early_stop.metric",
        hint="Add `clients: true` to evaluation, or use a metric of the test set, such as test/loss.",
    )


def _stops_at_all(values: object) -> ConfigError | None:
    rule = _get(values, "early_stop")
    rules = ("patience", "at_least", "at_most")
    if not isinstance(rule, dict) or any(rule.get(name) is not None for name in rules):
        return None
    return ConfigError(
        "early_stop has no rule to stop by: none of patience, at_least and at_most is given.",
        key="early_stop",
        hint="Add for example `patience: 5`, or `at_least: 0.97`.",
    )


def _keep_best(values: object) -> ConfigError | None:
    metric = _get(values, "early_stop.metric")
    metric = "test/loss" if metric is None else metric
    rounds, kept, measured = (_get(values, key) for key in ("rounds", "checkpoint.every", "evaluation.every"))
    if _get(values, "checkpoint.keep_best") is None or not isinstance(metric, str):
        return None
    if not (isinstance(rounds, int) and isinstance(kept, int) and isinstance(measured, int)):
        return None
    # Every round has the figures of training.
    # A round is evaluated and has a checkpoint as well only at the common multiples of both intervals.
    if metric.startswith("train/") or min(kept, measured) < 1 or math.lcm(kept, measured) <= rounds:
        return None
    return ConfigError(
        "the best checkpoint is chosen among rounds that are evaluated, and only the last round is evaluated and has "
        f"a checkpoint: checkpoint.every is {kept}, evaluation.every is {measured}, rounds is {rounds}.",
        key="checkpoint.keep_best",
        hint=f"Use checkpoint.every: {measured}, or remove keep_best.",
    )


def _epochs_or_steps(values: object) -> ConfigError | None:
    epochs, steps = _get(values, "client.epochs"), _get(values, "client.steps")
    if epochs is None or steps is None:
        return None
    return ConfigError(
        f"a client trains for epochs or for steps, not both; client.epochs is {epochs}.",
        key="client.steps",
        hint="Remove one of the two.",
    )


def _malicious(values: object) -> ConfigError | None:
    if not isinstance(_get(values, "attack"), dict):
        return None
    share, clients = _get(values, "attack.share"), _get(values, "attack.clients")
    if share is None and clients is None:
        return ConfigError(
            "an attack needs malicious clients; neither attack.share nor attack.clients is given.",
            key="attack",
            hint="Add for example `share: 0.2` to attack.",
        )
    if share is not None and clients is not None:
        return ConfigError(
            f"malicious clients are given by share or by number, not both; attack.share is {share}.",
            key="attack.clients",
            hint="Remove one of the two.",
        )
    return None


def _get(values: object, key: str) -> object:
    """The value at a dotted key; None if there is none."""
    for step in key.split("."):
        if not isinstance(values, dict) or step not in values:
            return None
        values = values[step]
    return values
