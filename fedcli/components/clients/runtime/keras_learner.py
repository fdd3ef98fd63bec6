"""The pure functions of a Keras model for local algorithms and evaluation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from fedcli.components.clients.optimizers import Optimizer
from fedcli.components.clients.runtime.task import TrainingTask, loss_function, metric_functions
from fedcli.components.clients.trainer import Batch, Learner, Pass, Tensor, Tensors
from fedcli.core.errors import ConfigError
from fedcli.core.types import KerasModel, KerasVariable
from fedcli.core.vectors import Layout

Forward = Callable[[Tensors, Tensors, Tensor, bool], tuple[Any, Tensors, Tensors]]
"""`(weights, moving, x, training)` -> `(outputs, moved, penalties)`."""


class NetworkLike(Protocol):
    """The parts of `models.network.Network` that are used here; kinds of components do not import each other."""

    @property
    def model(self) -> KerasModel: ...  # noqa: D102
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
    @property
    def may_mix_examples(self) -> bool: ...  # noqa: D102


class KerasFunctions(NamedTuple):
    """A model's pure functions.

    Args:
        learner: the functions for local algorithms.
        measure: `(weights, moving, x, y)` -> sums over the examples of the loss and each metric, shape [M].
        predict: `(weights, moving, x)` -> the probability of each class, shape [B, C]; outputs that are not of
            classes as they are.
    """

    learner: Learner
    measure: Callable[[Tensors, Tensors, Tensor, Tensor], Tensor]
    predict: Callable[[Tensors, Tensors, Tensor], Tensor]


def keras_functions(network: NetworkLike, task: TrainingTask, optimizer: Optimizer) -> KerasFunctions:
    """The pure functions of `network` for `task`.

    Raises:
        ConfigError: if the loss or a metric is unknown, or the model's output does not fit the targets.
    """
    import tensorflow as tf

    from_logits = not ends_in_probabilities(network.model)
    loss = loss_function(task, from_logits=from_logits)
    metrics = metric_functions(task, from_logits=from_logits)
    forward = _forward(network, network.model)

    def figures(y: Tensor, predictions: Tensor) -> Tensor:
        return tf.stack([loss(y, predictions), *(metric(y, predictions) for metric in metrics)])

    @functools.cache
    def forward_both() -> Forward:
        # A second model, made only for algorithms that use representations.
        from keras import Model

        model = network.model
        return _forward(network, Model(model.inputs, [model.outputs[0], model.layers[-1].input]))

    def represent(weights: Tensors, moving: Tensors, x: Tensor) -> Tensor:
        return forward_both()(weights, moving, x, True)[0][1]

    def differentiate(
        weights: Tensors, moving: Tensors, batch: Batch, also: Callable[[Tensor], Tensor] | None = None
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
            # A Poisson batch may be empty; its mean is then 0 and not NaN.
            mean = tf.reduce_sum(losses * batch.mask) / tf.maximum(count, 1.0)
            objective = tf.add_n([mean, *penalties])
        values = tf.stack([losses, *(metric(batch.y, predictions) for metric in metrics)])
        # "zero" for weights that the loss does not depend on: every client sends a vector of the same length.
        gradients = tape.gradient(objective, list(weights), unconnected_gradients="zero")
        # The gradient of an embedding is sparse, which optimizers and clips here do not expect.
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        return Pass(dense, moved, tf.reduce_sum(values * batch.mask, axis=1), count)

    def measure(weights: Tensors, moving: Tensors, x: Tensor, y: Tensor) -> Tensor:
        predictions, _, _ = forward(weights, moving, x, False)
        return tf.reduce_sum(figures(y, predictions), axis=1)

    def predict(weights: Tensors, moving: Tensors, x: Tensor) -> Tensor:
        outputs, _, _ = forward(weights, moving, x, False)
        if task.is_binary:
            positive = tf.sigmoid(outputs) if from_logits else outputs
            return tf.concat([1 - positive, positive], axis=-1)
        return tf.nn.softmax(outputs) if from_logits and "crossentropy" in task.loss else outputs

    learner = Learner(differentiate, optimizer, len(task.names), represent, network.is_personal)
    return KerasFunctions(learner, measure, predict)


def batches_of(network: NetworkLike) -> Callable[[Tensor, Tensor, Tensor], Batch]:
    """The function `(x, y, rows [B])` -> batch; a negative row is padding."""
    import tensorflow as tf

    drops_padding = network.may_mix_examples

    def batch(x: Tensor, y: Tensor, rows: Tensor) -> Batch:
        mask = rows >= 0
        if drops_padding:
            # BatchNorm, say, would average over the padding. Otherwise fixed shapes are faster.
            rows = tf.boolean_mask(rows, mask)
            return Batch(tf.gather(x, rows), tf.gather(y, rows), tf.ones(tf.shape(rows), tf.float32))
        rows = tf.maximum(rows, 0)
        return Batch(tf.gather(x, rows), tf.gather(y, rows), tf.cast(mask, tf.float32))

    return batch


def _forward(network: NetworkLike, model: KerasModel) -> Forward:
    """The forward pass of `model`, which holds the network's variables, possibly in another order."""
    import tensorflow as tf

    def widened(tensor: Tensor) -> Tensor:
        return tf.cast(tensor, tf.float32) if tensor.dtype in (tf.bfloat16, tf.float16) else tensor

    own = network.model
    slots = (*network.statistic_slots, *network.seed_slots)
    weight_order = _positions(model.trainable_variables, own.trainable_variables)
    rest_order = _positions(model.non_trainable_variables, own.non_trainable_variables)

    def forward(weights: Tensors, moving: Tensors, x: Tensor, training: bool) -> tuple[Any, Tensors, Tensors]:
        # Frozen weights are read from the variables; everything that moves comes from the caller.
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
        # A model of mixed precision may end in bfloat16, in which a sum over examples would lose most of its digits.
        outputs, penalties = tf.nest.map_structure(widened, (outputs, penalties))
        return outputs, [rest[slot] for slot in slots], penalties

    return forward


def _positions(variables: Sequence[KerasVariable], among: Sequence[KerasVariable]) -> list[int]:
    places = {id(variable): place for place, variable in enumerate(among)}
    return [places[id(variable)] for variable in variables]


def check_output(model: KerasModel, task: TrainingTask, *, num_outputs: int) -> None:
    """Refuse a model whose output does not fit the task.

    Raises:
        ConfigError: with the shape of the model's output and the shape that the data need.
    """
    expected = 1 if task.is_binary else num_outputs
    # Only Sequential and Functional models know their output; with several outputs it is a list or a mapping.
    shape = getattr(model, "output_shape", None)
    if not isinstance(shape, tuple):
        raise ConfigError(
            "the model does not return a single tensor, or does not know its shape.",
            key="name",
            hint="Return a Sequential or Functional Keras model with one output.",
        )
    if shape != (None, expected):
        raise ConfigError(
            f"the model returns values of shape {list(shape[1:])} for an example; "
            f"the data and {task.loss} need [{expected}].",
            key="name",
            hint=f"Use a last layer with {expected} outputs.",
        )


def ends_in_probabilities(model: KerasModel) -> bool:
    """Whether the last layer turns logits into probabilities."""
    last = model.layers[-1]
    # A model may end in another model.
    if getattr(last, "layers", None):
        return ends_in_probabilities(last)
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    return activation in ("softmax", "sigmoid") or type(last).__name__ == "Softmax"
