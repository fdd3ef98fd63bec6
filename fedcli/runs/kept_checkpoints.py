"""The retention policy of an experiment: which of its checkpoints keep their arrays."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from fedcli.components.clients.runtime.task import DEFAULT_METRICS
from fedcli.config import Experiment, loads
from fedcli.core.column import Column
from fedcli.core.errors import FedcliError
from fedcli.engine.run_columns import best_is
from fedcli.experiment.protection.mechanism_columns import MECHANISM_COLUMNS
from fedcli.store import directory
from fedcli.store.retention import Metric, Retention


def retention_of(experiment: Experiment, mechanisms: Iterable[Column]) -> Retention:
    """The policy that `checkpoint.keep_last` and `checkpoint.keep_best` state.

    The best checkpoint is the one that early stopping would call best; without early stopping, the one with the best
    first metric of the task on the test set, or the smallest loss where the task has no metrics.

    Args:
        experiment: what the config says.
        mechanisms: the columns of the run's mechanisms.
    """
    stop, names = experiment.early_stop, experiment.task.metrics
    if stop is not None:
        mode = stop.mode or best_is(stop.metric, mechanisms)
        metrics = [Metric(stop.metric, mode == "max")]
    else:
        # Where the config leaves the metrics open, the dataset decides, and the records show which it was.
        candidates = DEFAULT_METRICS if names is None else names[:1]
        metrics = [
            Metric(name, best_is(name) == "max")
            for name in (f"test/{each}" for each in (*candidates, "loss"))
        ]
    return Retention(experiment.checkpoint.keep_last, experiment.checkpoint.keep_best, tuple(metrics))


def planned_retention(run: Path) -> Retention:
    """Which checkpoints the config lets the run prune; none if the config cannot be used, which `planned` reports."""
    try:
        return retention_of(
            untrusted_experiment(directory.config_text(run)),
            # The run's own mechanisms are known only once its components are made.
            [column for columns in MECHANISM_COLUMNS.values() for column in columns],
        )
    except FedcliError:
        return Retention()


# The plan and the retention policy of a run are both read from the same text.
@lru_cache(maxsize=4)
def untrusted_experiment(text: str) -> Experiment:
    """The experiment of a run's config.yaml; no custom component is imported, which would run code of the run's author.

    Raises:
        FedcliError: if it cannot be used by this version.
    """
    return loads(text, directory.CONFIG, imports=False).experiment
