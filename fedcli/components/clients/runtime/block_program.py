"""The local training of a block of clients as one compiled program, for models of a few hundred weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fedcli.components.clients.runtime.keras_learner import KerasFunctions, NetworkLike, batches_of
from fedcli.components.clients.runtime.program import Example, traced
from fedcli.components.clients.runtime.tensor_vectors import (
    join_tensors,
    joined_if_listed,
    listed_tensors,
    split_vector,
)
from fedcli.components.clients.trainer import Batch, ClientTrainer, Start, Tensor
from fedcli.core.contracts import TrainerSpec
from fedcli.core.errors import ConfigError

MOST_WEIGHTS = 1000
"""Trainable weights of the largest model that is trained in blocks. With 2,000, a step of sixteen clients took as long
as sixteen steps of one: the weights of all clients fall out of the cache."""


class BlockInputs(NamedTuple):
    """The inputs of the program for C clients in one round, as tensors.

    Args:
        weights: the global weights, shape [P].
        learning_rate_scale: the schedule's factor.
        extras: further vectors [P] that the server sends.
        state: what the clients kept, vectors [C, P] and scalars [C].
        x: examples, of these clients and perhaps of others.
        y: their targets.
        rows: the rows of each batch among them, shape [S, B], one client after the other; negative for padding.
        first: the first batch of each client, shape [C].
        num_steps: number of batches of each client, shape [C]; 0 for a place without a client.
    """

    weights: Tensor
    learning_rate_scale: Tensor
    extras: Mapping[str, Tensor]
    state: Mapping[str, Tensor]
    x: Tensor
    y: Tensor
    rows: Tensor
    first: Tensor
    num_steps: Tensor


class BlockOutputs(NamedTuple):
    """The outputs of the program: payloads, means of loss and metrics [C, M], and what the clients keep."""

    payload: Tensor
    means: Tensor
    keeps: Mapping[str, Tensor]


def refused_for_size(num_weights: int) -> ConfigError | None:
    """Why a model of so many trainable weights is not trained in blocks; None if it is not too large."""
    if num_weights <= MOST_WEIGHTS:
        return None
    return _cannot(
        f"the model has {num_weights:,} weights; above {MOST_WEIGHTS:,} a block of clients is slower than one client "
        "after the other"
    )


def _refusal(network: NetworkLike, spec: TrainerSpec, trainer: ClientTrainer) -> str | None:
    if not network.is_dense:
        return "the model has other layers than dense ones, or penalties on activations, and these run one by one"
    is_custom = not spec.build.__module__.startswith("fedcli.")
    if network.personal.size or spec.privacy is not None or trainer.survey or is_custom:
        return f"the local algorithm {spec.name} is trained one client at a time"
    return None


def compile_block(
    network: NetworkLike,
    functions: KerasFunctions,
    spec: TrainerSpec,
    *,
    example: Example,
    batch_size: int | None,
) -> Callable[[BlockInputs], BlockOutputs]:
    """The training of any number of clients, step by step for all of them together; XLA compiles it for each shape.

    The clients' own functions are mapped over the block, so that a local algorithm is written once. A client with fewer
    steps than the longest keeps its weights while the others go on. Kernels of a block add in another order than those
    of one client, so that results differ from `compile_programs` in the last bit.

    Raises:
        ConfigError: if this model or this local algorithm is not trained in blocks.
    """
    import tensorflow as tf

    # First, because `fedcli check` says this reason before there is a model.
    if error := refused_for_size(network.trainable.size):
        raise error
    trainer: ClientTrainer = spec.build(functions.learner)
    if reason := _refusal(network, spec, trainer):
        raise _cannot(reason)
    batch = batches_of(network)

    def mapped(function: Callable[[Any], Any], values: Any) -> Any:
        return tf.vectorized_map(function, values, fallback_to_while_loop=False)

    def train(inputs: BlockInputs) -> BlockOutputs:
        def start_of(state: Mapping[str, Tensor], num_steps: Tensor) -> Start:
            def listed(value: Tensor) -> Any:
                return split_vector(value, network.trainable) if value.shape.rank == 1 else value

            return Start(
                weights=split_vector(inputs.weights, network.trainable),
                moving=[],
                learning_rate_scale=inputs.learning_rate_scale,
                num_steps=num_steps,
                extras={name: listed(value) for name, value in inputs.extras.items()},
                state={name: listed(value) for name, value in state.items()},
                survey=(tf.zeros([functions.learner.num_metrics]), tf.zeros([])),
                noise=tf.zeros([0, 0], tf.int32),
            )

        def begun(place: tuple[Any, Tensor]) -> Any:
            carry, clients = trainer.init(start_of(*place)), tf.cast(place[1], tf.float32)
            # Mapping drops the axis of the block from what is the same for all clients; the loop needs it.
            return tf.nest.map_structure(lambda each: tf.where(clients >= 0, each, each + 1), carry)

        def stepped(index: Tensor, carry: Any) -> tuple[Tensor, Any]:
            def of_one(place: tuple[Any, Tensor, Tensor, Any]) -> Any:
                state, num_steps, rows, own = place
                seen: Batch = batch(inputs.x, inputs.y, rows)
                moved = trainer.step(start_of(state, num_steps), own, seen)
                return tf.nest.map_structure(
                    lambda new, old: tf.where(index < num_steps, new, old), moved, own
                )

            # A client that has ended repeats its last batch, which is then dropped.
            own = tf.minimum(index, tf.maximum(inputs.num_steps - 1, 0))
            places = (inputs.state, inputs.num_steps, tf.gather(inputs.rows, inputs.first + own), carry)
            return index + 1, mapped(of_one, places)

        def ended(place: tuple[Any, Tensor, Any]) -> Any:
            state, num_steps, carry = place
            result = trainer.final(start_of(state, num_steps), carry)
            sent = [tensor for extra in spec.sends for tensor in listed_tensors(result.sends[extra.name])]
            keeps = {extra.name: joined_if_listed(result.keeps[extra.name]) for extra in spec.keeps}
            return join_tensors([*result.delta, *sent]), result.means, keeps

        most = tf.reduce_max(inputs.num_steps)
        first = (tf.constant(0), mapped(begun, (inputs.state, inputs.num_steps)))
        carry = tf.while_loop(lambda index, _: index < most, stepped, first, parallel_iterations=1)[1]
        return BlockOutputs(*mapped(ended, (inputs.state, inputs.num_steps, carry)))

    size, scalar = network.trainable.size, tf.TensorSpec([])
    specs = BlockInputs(
        weights=tf.TensorSpec([size]),
        learning_rate_scale=scalar,
        extras={name: tf.TensorSpec([size]) for name in spec.receives},
        state={x.name: tf.TensorSpec([None, size] if x.size == "model" else [None]) for x in spec.keeps},
        x=tf.TensorSpec([None, *example.x_shape]),
        y=tf.TensorSpec([None, *example.y_shape], example.y_type),
        rows=tf.TensorSpec([None, batch_size], tf.int32),
        first=tf.TensorSpec([None], tf.int32),
        num_steps=tf.TensorSpec([None], tf.int32),
    )
    try:
        program: Callable[[BlockInputs], BlockOutputs] = traced(
            train, specs, jit_compile=True, autograph=False
        )
    except (AttributeError, TypeError, ValueError, NotImplementedError) as error:
        raise _cannot(_said(error)) from error
    return program


def _said(error: Exception) -> str:
    """Why there is no program, in one line."""
    text = str(error).strip()
    if found := re.search(r"No pfor vectorization defined for (\w+)", text):
        return (
            f"TensorFlow does not do the operation {found.group(1)} for several clients at once; a metric may use it, "
            "or a loss, an optimizer, a layer or client.clip_gradient_norm (L2Loss)"
        )
    return text.splitlines()[-1].strip()


def _cannot(reason: str) -> ConfigError:
    return ConfigError(
        f"these clients cannot be trained in blocks: {reason}.", key="executor", hint="Use executor: threads."
    )
