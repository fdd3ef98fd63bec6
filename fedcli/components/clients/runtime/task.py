"""The loss and the metrics of a task, by their Keras names, with one value for each example."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from fedcli.components.clients.trainer import Tensor
from fedcli.core.errors import ConfigError

PerExample = Callable[[Tensor, Tensor], Tensor]
"""`(targets, predictions)` -> values of shape [B]."""

_LOSSES = {"classification": "sparse_categorical_crossentropy", "regression": "mean_squared_error"}
_METRICS = {"classification": ("accuracy",), "regression": ("mean_absolute_error",)}
# Parts of the names of Keras's losses and errors; a larger value of any other metric is taken for a better one.
DEFAULT_METRICS = tuple(name for names in _METRICS.values() for name in names)
"""The metrics that a dataset may bring where the config names none."""
_ERRORS = (
    *("error", "loss", "crossentropy", "divergence", "hinge", "poisson", "huber", "cosh"),
    *("mse", "mae", "mape", "msle", "bce"),
)


@dataclass(frozen=True)
class TrainingTask:
    """A loss and metrics.

    Args:
        loss: Keras name of the loss.
        metrics: Keras names of the metrics; `accuracy` is the accuracy that fits the loss.
    """

    loss: str
    metrics: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the figures of training and evaluation: the loss, then the metrics."""
        return ("loss", *self.metrics)

    @property
    def is_binary(self) -> bool:
        """Whether the loss takes one output for two classes."""
        return self.loss.startswith("binary")


def task_for(
    kind: Literal["classification", "regression"], loss: str | None, metrics: Sequence[str] | None
) -> TrainingTask:
    """The task of a dataset, with defaults for what the config leaves out."""
    return TrainingTask(loss or _LOSSES[kind], tuple(_METRICS[kind] if metrics is None else metrics))


def higher_is_better(name: str) -> bool:
    """Whether a larger value of the metric is better: not for losses and errors, but for all other metrics."""
    return not any(part in name.lower() for part in _ERRORS)


def loss_function(task: TrainingTask, *, from_logits: bool) -> PerExample:
    """The loss of each example.

    Raises:
        ConfigError: if Keras has no loss of that name.
    """
    import keras

    try:
        function = keras.losses.get(task.loss)
    except ValueError:
        function = None
    # By a class name, Keras returns a loss that is a mean over the batch; by a function name, one value for each
    # example.
    if not inspect.isfunction(function):
        raise ConfigError(
            f"Keras has no loss named '{task.loss}'.",
            key="loss",
            hint="Use a name such as sparse_categorical_crossentropy, mean_squared_error or huber.",
        )
    if from_logits and "from_logits" in inspect.signature(function).parameters:
        function = partial(function, from_logits=True)
    return _per_example(function)


def metric_functions(task: TrainingTask, *, from_logits: bool) -> list[PerExample]:
    """The value of each metric for each example.

    Raises:
        ConfigError: if Keras has no metric of that name, or it is not a mean over examples.
    """
    return [_per_example(_metric(name, task, from_logits)) for name in task.metrics]


def _metric(name: str, task: TrainingTask, from_logits: bool) -> PerExample:
    import keras

    if name == "accuracy" and task.loss.startswith("sparse"):
        name = "sparse_categorical_accuracy"
    elif name == "accuracy":
        name = "binary_accuracy" if task.is_binary else "categorical_accuracy"
    if name == "sparse_categorical_accuracy":
        return sparse_categorical_accuracy
    try:
        metric = keras.metrics.get(name)
    except ValueError:
        metric = None
    function = getattr(metric, "_fn", None)
    if function is None:
        raise ConfigError(
            f"'{name}' is not a Keras metric that is a mean over examples.",
            key="metrics",
            hint="Use names such as accuracy, top_k_categorical_accuracy or mean_absolute_error.",
        )
    # A model without a last activation returns logits: probabilities above 0.5 are logits above 0.
    own = dict(getattr(metric, "_fn_kwargs", {}))
    known = {"from_logits": True, "threshold": 0.0} if from_logits else {}
    return partial(function, **own | {key: value for key, value in known.items() if key in own})


def sparse_categorical_accuracy(targets: Tensor, predictions: Tensor) -> Tensor:
    """Keras's metric without its treatment of negative zeros, which takes a sixth of a small model's step."""
    import tensorflow as tf

    hits = tf.equal(tf.argmax(predictions, axis=-1, output_type=targets.dtype), targets)
    return tf.cast(hits, tf.float32)


def _per_example(function: PerExample) -> PerExample:
    """`function` with targets of the predictions' rank and a result of shape [B]."""
    import tensorflow as tf

    takes_labels = getattr(function, "func", function).__name__.startswith("sparse")

    def values(targets: Tensor, predictions: Tensor) -> Tensor:
        if targets.shape.rank == 1 and predictions.shape.rank == 2 and predictions.shape[1] == 1:
            targets = targets[:, None]
        # Keras would broadcast them against each other, and train on meaningless losses.
        if not (takes_labels or targets.shape[1:].is_compatible_with(predictions.shape[1:])):
            raise ValueError(
                f"it takes targets of shape {list(predictions.shape[1:])} for an example; "
                f"they have {list(targets.shape[1:])}"
            )
        result = tf.cast(function(targets, predictions), tf.float32)
        # Sliced only if needed, because the slice and its gradient take time at every step of every client.
        return result if result.shape.rank == 1 else tf.reshape(result, [tf.shape(predictions)[0], -1])[:, 0]

    return values
