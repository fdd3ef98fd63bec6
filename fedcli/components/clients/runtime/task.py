"""The loss and the metrics of a task, by their Keras names, with one value for each example."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from fedcli.components.clients.trainer import Tensor
from fedcli.core.errors import ConfigError

PerExample = Callable[[Tensor, Tensor], Tensor]
"""`(targets, predictions)` -> values of shape [B]."""

_LOSSES = {"classification": "sparse_categorical_crossentropy", "regression": "mean_squared_error"}
SCORES = ("macro_f1", "macro_auc", "worst_class_accuracy")
"""Metrics of a whole test set, which are not means over examples; `engine/class_scores.py` computes them."""
_TOP = re.compile(r"top_([1-9][0-9]{0,3})_accuracy")
# What people call what is here, or in Keras, by another name.
_MEANT = {
    **dict.fromkeys(("f1", "f1_score", "f1_macro", "fbeta_score"), "macro_f1"),
    **dict.fromkeys(("auc", "roc_auc", "auroc"), "macro_auc"),
    **dict.fromkeys(("top5", "top_5", "top5_accuracy", "top_k", "top_k_accuracy"), "top_5_accuracy"),
    **dict.fromkeys(("class_accuracy", "per_class_accuracy", "recall"), "worst_class_accuracy"),
    **dict.fromkeys(("acc", "top_1"), "accuracy"),
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
}
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
        metrics: those that are means over examples; `accuracy` is the accuracy that fits the loss.
        scores: those of the whole test set.
    """

    loss: str
    metrics: tuple[str, ...]
    scores: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the figures of training and evaluation: the loss, then the metrics."""
        return ("loss", *self.metrics)

    @property
    def is_binary(self) -> bool:
        """Whether the loss takes one output for two classes."""
        return self.loss.startswith("binary")

    @property
    def is_common(self) -> bool:
        """Whether Keras takes loss and metrics for every model and for targets that are whole numbers, or vectors."""
        kind = next((kind for kind, loss in _LOSSES.items() if loss == self.loss), None)
        known = {"classification": ("accuracy",), "regression": ("mean_absolute_error", "mean_squared_error")}
        return kind is not None and all(
            name in known[kind] or (kind == "classification" and _TOP.fullmatch(name))
            for name in self.metrics
        )


def task_for(
    kind: Literal["classification", "regression"], loss: str | None, metrics: Sequence[str] | None
) -> TrainingTask:
    """The task of a dataset, with defaults for what the config leaves out.

    Raises:
        ConfigError: if a metric is of classes and the data have none, or a metric is named twice.
    """
    names = tuple(_METRICS[kind] if metrics is None else metrics)
    of_classes = [name for name in names if name in SCORES or _TOP.fullmatch(name)]
    if kind == "regression" and of_classes:
        raise ConfigError(
            f"{of_classes[0]} is a metric of classes; the targets of this data are numbers.",
            key="task.metrics",
            hint="Use mean_absolute_error or mean_squared_error.",
        )
    if len(set(names)) != len(names):
        raise ConfigError("a metric is named twice.", key="task.metrics", hint="Name each metric once.")
    return TrainingTask(
        loss or _LOSSES[kind],
        tuple(name for name in names if name not in SCORES),
        tuple(name for name in names if name in SCORES),
    )


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
    if name in ("sparse_categorical_accuracy", "categorical_accuracy"):
        return sparse_categorical_accuracy if name.startswith("sparse") else categorical_accuracy
    if top := _TOP.fullmatch(name):
        return _top_accuracy(int(top[1]), task)
    try:
        metric = keras.metrics.get(name)
    except ValueError:
        metric = None
    function = getattr(metric, "_fn", None)
    if function is None:
        meant = f"Did you mean {_MEANT[name.lower()]}? " if name.lower() in _MEANT else ""
        of_classes = f"accuracy, top_5_accuracy, {', '.join(SCORES)}"
        usual = of_classes if "crossentropy" in task.loss else "mean_absolute_error, mean_squared_error"
        raise ConfigError(
            f"'{name}' is not a metric: neither one of fedcli nor one of Keras that is a mean over examples.",
            key="metrics",
            hint=f"{meant}The usual ones are {usual}.",
        )
    # A model without a last activation returns logits: probabilities above 0.5 are logits above 0.
    own = dict(getattr(metric, "_fn_kwargs", {}))
    known = {"from_logits": True, "threshold": 0.0} if from_logits else {}
    return partial(function, **own | {key: value for key, value in known.items() if key in own})


def _top_accuracy(k: int, task: TrainingTask) -> PerExample:
    """Whether the right class is among the k classes of the largest outputs."""
    import keras

    if task.is_binary:
        raise ConfigError(
            f"top_{k}_accuracy needs an output for each class; {task.loss} has one output.",
            key="metrics",
            hint="Use accuracy.",
        )
    if task.loss.startswith("sparse"):
        return partial(keras.metrics.sparse_top_k_categorical_accuracy, k=k)
    return partial(keras.metrics.top_k_categorical_accuracy, k=k)


def sparse_categorical_accuracy(targets: Tensor, predictions: Tensor) -> Tensor:
    """Keras's metric without its treatment of negative zeros, which takes a sixth of a small model's step."""
    import tensorflow as tf

    hits = tf.equal(tf.argmax(predictions, axis=-1, output_type=targets.dtype), targets)
    return tf.cast(hits, tf.float32)


def categorical_accuracy(targets: Tensor, predictions: Tensor) -> Tensor:
    """The same for one-hot targets, [B, C]."""
    import tensorflow as tf

    return sparse_categorical_accuracy(tf.argmax(targets, axis=-1), predictions)


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
