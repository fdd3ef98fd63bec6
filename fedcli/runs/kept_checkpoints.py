"""The retention policy of an experiment: which of its checkpoints keep their arrays."""

from __future__ import annotations

from fedcli.components.clients.runtime.task import DEFAULT_METRICS, higher_is_better
from fedcli.config import Experiment
from fedcli.store.retention import Metric, Retention


def retention_of(experiment: Experiment) -> Retention:
    """The policy that `checkpoint.keep_last` and `checkpoint.keep_best` state.

    The best checkpoint is the one that early stopping would call best; without early stopping, the one with the best
    first metric of the task on the test set, or the smallest loss where the task has no metrics.
    """
    stop, names = experiment.early_stop, experiment.task.metrics
    if stop is not None:
        higher = higher_is_better(stop.metric) if stop.mode is None else stop.mode == "max"
        metrics = [Metric(stop.metric, higher)]
    else:
        # Where the config leaves the metrics open, the dataset decides, and the records show which it was.
        candidates = DEFAULT_METRICS if names is None else names[:1]
        metrics = [Metric(f"test/{name}", higher_is_better(name)) for name in (*candidates, "loss")]
    return Retention(experiment.checkpoint.keep_last, experiment.checkpoint.keep_best, tuple(metrics))
