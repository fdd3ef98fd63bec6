"""The retention policy of an experiment: which of its checkpoints keep their arrays."""

from __future__ import annotations

from collections.abc import Iterable

from fedcli.components.clients.runtime.task import DEFAULT_METRICS
from fedcli.config import Experiment
from fedcli.core.column import Column
from fedcli.engine.run_columns import best_is
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
