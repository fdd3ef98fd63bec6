"""What can be said of two keys together before any data is seen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from fedcli.core.errors import ConfigError


def cross_checks(values: Any) -> Iterator[ConfigError]:
    """The contradictions in a resolved config; its values may themselves be wrong, and are then passed over."""
    for check in (_cohort_size, _client_evaluation, _early_stop, _keep_best, _epochs_or_steps, _malicious):
        error = check(values)
        if error:
            yield error


def _cohort_size(values: Any) -> ConfigError | None:
    size, clients = _get(values, "cohort.size"), _get(values, "data.partition.clients")
    if type(size) is not int or type(clients) is not int or size <= clients:
        return None
    return ConfigError(
        f"a cohort is drawn without replacement from the clients; data.partition.clients is {clients}.",
        key="cohort.size",
        hint=f"Use cohort.size <= {clients}, or data.partition.clients of at least {size}.",
    )


def _client_evaluation(values: Any) -> ConfigError | None:
    if _get(values, "evaluation.clients") is not True or _get(values, "data.validation_fraction", 0.2) != 0:
        return None
    return ConfigError(
        "clients are evaluated on their validation examples; data.validation_fraction is 0.",
        key="evaluation.clients",
        hint="Use data.validation_fraction above 0, such as 0.2, or evaluation.clients: false.",
    )


def _early_stop(values: Any) -> ConfigError | None:
    metric = _get(values, "early_stop.metric")
    if (
        not isinstance(metric, str)
        or not metric.startswith("validation/")
        or _get(values, "evaluation.clients")
    ):
        return None
    return ConfigError(
        "validation metrics are measured on the clients; evaluation.clients is false.",
        key="early_stop.metric",
        hint="Add `clients: true` to evaluation, or watch a metric of the test set, such as test/loss.",
    )


def _keep_best(values: Any) -> ConfigError | None:
    metric = _get(values, "early_stop.metric", "test/loss")
    rounds, kept, measured = (
        _get(values, key, 1) for key in ("rounds", "checkpoint.every", "evaluation.every")
    )
    numbers = all(type(number) is int and number > 0 for number in (rounds, kept, measured))
    if _get(values, "checkpoint.keep_best") is None or not numbers or not isinstance(metric, str):
        return None
    # Every round has the figures of training.
    if metric.startswith("train/") or math.lcm(kept, measured) <= rounds:
        return None
    return ConfigError(
        "the best checkpoint is chosen among rounds that are evaluated, and only the last round is evaluated and has "
        f"a checkpoint: checkpoint.every is {kept}, evaluation.every is {measured}, rounds is {rounds}.",
        key="checkpoint.keep_best",
        hint=f"Use checkpoint.every: {measured}, or remove keep_best.",
    )


def _epochs_or_steps(values: Any) -> ConfigError | None:
    epochs, steps = _get(values, "client.epochs"), _get(values, "client.steps")
    if epochs is None or steps is None:
        return None
    return ConfigError(
        f"a client trains for epochs or for steps, not both; client.epochs is {epochs}.",
        key="client.steps",
        hint="Remove one of the two.",
    )


def _malicious(values: Any) -> ConfigError | None:
    if not isinstance(_get(values, "attack"), dict):
        return None
    share, clients = _get(values, "attack.share"), _get(values, "attack.clients")
    if share is None and clients is None:
        return ConfigError(
            "an attack has malicious clients; neither attack.share nor attack.clients says which.",
            key="attack",
            hint="Add for example `share: 0.2` to attack.",
        )
    if share is not None and clients is not None:
        return ConfigError(
            f"malicious clients are a share or numbers, not both; attack.share is {share}.",
            key="attack.clients",
            hint="Remove one of the two.",
        )
    return None


def _get(values: Any, key: str, default: Any = None) -> Any:
    for step in key.split("."):
        if not isinstance(values, dict) or step not in values:
            return default
        values = values[step]
    return values
