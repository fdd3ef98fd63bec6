"""The functions of a Keras model that local algorithms and evaluation are made of."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from fedcli.components.clients.optimizers import Optimizer
from fedcli.components.clients.runtime.task import TrainingTask, loss_function, metric_functions
from fedcli.components.clients.trainer import Batch, Learner, Pass, Tensors
from fedcli.core.errors import ConfigError
from fedcli.core.vectors import Layout

Forward = Callable[[Tensors, Tensors, Any, bool], tuple[Any, Tensors, Any]]
"""`(weights, moving, x, training)` -> `(outputs, moved, penalties)`."""


class NetworkLike(Protocol):
    """What is used here of `models.network.Network`."""

    @property
    def model(self) -> Any: ...  # noqa: D102
    @property
    def trainable(self) -> Layout: ...  # noqa: D102
    @property
    def statistics(self) -> Layout: ...  # noqa: D102
    @property
    def personal(self) -> Layout: ...  # noqa: D102
    @property
    def is_personal(self) -> tuple[bool, ...]: ...  # noqa: D102
    @property
    def statistic_slots(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def seed_slots(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def is_dense(self) -> bool: ...  # noqa: D102


class KerasFunctions(NamedTuple):
    """A model's pure functions.

    Args:
        learner: what local algorithms use.
        measure: `(weights, moving, x, y)` -> sums over the examples of the loss and each metric, shape [M].
    """

    learner: Learner
    measure: Callable[[Tensors, Tensors, Any, Any], Any]


def keras_functions(network: NetworkLike, task: TrainingTask, optimizer: Optimizer) -> KerasFunctions:
    """The functions of `network` for `task`.

    Raises:
        ConfigError: if the loss or a metric is unknown, or the model's output does not fit the targets.
    """
    import tensorflow as tf

    from_logits = not _ends_in_probabilities(network.model)
    loss = loss_function(task, from_logits=from_logits)
    metrics = metric_functions(task, from_logits=from_logits)
    forward = _forward(network, network.model)

    def figures(y: Any, predictions: Any) -> Any:
        return tf.stack([loss(y, predictions), *(metric(y, predictions) for metric in metrics)])

    @functools.cache
    def forward_both() -> Forward:
        # Made only for algorithms that look at representations.
        return _forward(network, _with_representation(network.model))

    def represent(weights: Tensors, moving: Tensors, x: Any) -> Any:
        return forward_both()(weights, moving, x, True)[0][1]

    def differentiate(
        weights: Tensors, moving: Tensors, batch: Batch, also: Callable[[Any], Any] | None = None
    ) -> Pass:
        count = tf.reduce_sum(batch.mask)
        with tf.GradientTape() as tape:
            tape.watch(weights)
            if also is None:
                predictions, moved, penalties = forward(weights, moving, batch.x, True)
                losses = loss(batch.y, predictions)
            else:
                both, moved, penalties = forward_both()(weights, moving, batch.x, True)
                predictions = both[0]
                losses = loss(batch.y, predictions) + also(both[1])
            mean = tf.reduce_sum(losses * batch.mask) / tf.maximum(count, 1.0)
            objective = tf.add_n([mean, *penalties])
        values = tf.stack([losses, *(metric(batch.y, predictions) for metric in metrics)])
        gradients = tape.gradient(objective, list(weights), unconnected_gradients="zero")
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        return Pass(dense, moved, tf.reduce_sum(values * batch.mask, axis=1), count)

    def measure(weights: Tensors, moving: Tensors, x: Any, y: Any) -> Any:
        predictions, _, _ = forward(weights, moving, x, False)
        return tf.reduce_sum(figures(y, predictions), axis=1)

    learner = Learner(differentiate, optimizer, len(task.names), represent, network.is_personal)
    return KerasFunctions(learner, measure)


def _forward(network: NetworkLike, model: Any) -> Forward:
    """The forward pass of `model`, which has the variables of the network in any order."""
    own = network.model
    slots = (*network.statistic_slots, *network.seed_slots)
    weight_order = _positions(model.trainable_variables, own.trainable_variables)
    rest_order = _positions(model.non_trainable_variables, own.non_trainable_variables)

    def forward(weights: Tensors, moving: Tensors, x: Any, training: bool) -> tuple[Any, Tensors, Any]:
        rest = [variable.value for variable in own.non_trainable_variables]
        for slot, tensor in zip(slots, moving, strict=True):
            rest[slot] = tensor
        outputs, moved, penalties = model.stateless_call(
            [weights[i] for i in weight_order],
            [rest[i] for i in rest_order],
            x,
            training=training,
            return_losses=True,
        )
        for position, tensor in zip(rest_order, moved, strict=True):
            rest[position] = tensor
        return outputs, [rest[slot] for slot in slots], penalties

    return forward


def _positions(variables: Sequence[Any], among: Sequence[Any]) -> list[int]:
    places = {id(variable): place for place, variable in enumerate(among)}
    return [places[id(variable)] for variable in variables]


def _with_representation(model: Any) -> Any:
    """The same model, which returns the input of its last layer as well."""
    from keras import Model

    return Model(model.inputs, [model.outputs[0], model.layers[-1].input])


def check_output(model: Any, task: TrainingTask, *, num_outputs: int) -> None:
    """Refuse a model whose output does not fit the task.

    Raises:
        ConfigError: with the shape that the model has and the one that the data needs.
    """
    expected = 1 if task.is_binary else num_outputs
    # Only a Sequential or Functional model knows its output; of several outputs it is a list or a mapping.
    shape = getattr(model, "output_shape", None)
    if not isinstance(shape, tuple):
        raise ConfigError(
            "the model returns something else than one tensor, or does not know its shape.",
            key="name",
            hint="Return a Sequential or Functional Keras model with one output.",
        )
    if shape != (None, expected):
        raise ConfigError(
            f"the model returns values of shape {list(shape[1:])} for an example; "
            f"the data and {task.loss} need [{expected}].",
            key="name",
            hint=f"Let the model end in a layer of {expected} outputs.",
        )


def _ends_in_probabilities(model: Any) -> bool:
    last = model.layers[-1]
    if getattr(last, "layers", None):
        return _ends_in_probabilities(last)
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    return activation in ("softmax", "sigmoid") or type(last).__name__ == "Softmax"
