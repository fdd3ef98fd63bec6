"""The local training of a client as one compiled program, which is traced once for all clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from fedcli.components.clients.runtime.keras_learner import KerasFunctions, NetworkLike, batches_of
from fedcli.components.clients.runtime.tensor_vectors import join_tensors, listed_tensors, split_vector
from fedcli.components.clients.trainer import Batch, ClientTrainer, Start, Tensor, Tensors
from fedcli.core.contracts import TrainerSpec
from fedcli.core.errors import ConfigError


class ClientInputs(NamedTuple):
    """The inputs of the program for one client in one round, as tensors.

    Args:
        weights: the global weights, shape [P].
        personal: the client's personal weights, shape [R].
        statistics: the non-trainable weights, shape [Q].
        seeds: random states of layers such as Dropout, shape [D, 2].
        learning_rate_scale: the schedule's factor.
        extras: further vectors [P] that the server sends.
        state: what the client kept, vectors [P] and scalars.
        x: the client's examples.
        y: their targets.
        num_examples: number of examples, without padding.
        rows: the rows of each batch, shape [S, B].
        num_steps: number of batches to train on.
        noise: the noise of each batch, shape [S, P]; [0, 0] for trainers that add none.
    """

    weights: Tensor
    personal: Tensor
    statistics: Tensor
    seeds: Tensor
    learning_rate_scale: Tensor
    extras: Mapping[str, Tensor]
    state: Mapping[str, Tensor]
    x: Tensor
    y: Tensor
    num_examples: Tensor
    rows: Tensor
    num_steps: Tensor
    noise: Tensor


class ClientOutputs(NamedTuple):
    """The outputs of the program.

    Args:
        payload: the tensors of the delta, followed by those of what else the trainer sends. Joined by the caller: a
            tensor takes the place of the weight from which it was calculated, and one vector would be another copy.
        personal: the personal weights, shape [R]; None if there are none.
        statistics: the non-trainable weights, shape [Q]; None if there are none. With an empty output XLA would
            move the loop to TensorFlow's pool of one thread, and clients would wait for each other.
        means: means of the loss and the metrics over the training examples, shape [M].
        keeps: what the client keeps, as the tensors of a vector [P] in their order, or a scalar.
    """

    payload: Tensors
    personal: Tensor
    statistics: Tensor
    means: Tensor
    keeps: Mapping[str, Tensors]


class Programs(NamedTuple):
    """The compiled functions of a run.

    Args:
        train: `ClientInputs` -> `ClientOutputs`.
        measure: `(weights [P], personal [R], statistics [Q], x, y)` -> sums [M].
        predict: `(weights [P], personal [R], statistics [Q], x)` -> probabilities [B, C].
        traces: returns how often `train` was traced.
    """

    train: Callable[..., ClientOutputs]
    measure: Callable[..., Tensor]
    predict: Callable[..., Tensor]
    traces: Callable[[], int]


class Example(NamedTuple):
    """Shape and type of one example of a client's data."""

    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    y_type: str


def compile_programs(
    network: NetworkLike,
    functions: KerasFunctions,
    spec: TrainerSpec,
    *,
    example: Example,
    batch_size: int | None,
    has_custom_optimizer: bool = False,
) -> Programs:
    """Trace the training and the evaluation of one client.

    Both take any number of examples. XLA compiles the training if the network consists of dense layers only:
    it halves their time, but makes convolutions on the CPU many times slower.

    Args:
        network: the model and its layouts.
        functions: the model's pure functions.
        spec: the local algorithm.
        example: shape and type of one example.
        batch_size: rows of every batch; None if they differ from client to client.
        has_custom_optimizer: whether the clients' optimizer is not fedcli's own.

    Raises:
        ConfigError: if the loss or a metric cannot take the targets and the model's output.
    """
    import tensorflow as tf

    trainer: ClientTrainer = spec.build(functions.learner)
    batch = batches_of(network)
    traces = 0

    def train(inputs: ClientInputs) -> ClientOutputs:
        nonlocal traces
        # Python runs this line only while TensorFlow traces the function.
        traces += 1
        begun = _start(network, inputs, functions.learner.num_metrics)

        # The survey is one pass over all examples, however few of them are trained on.
        width = tf.shape(inputs.rows)[1]

        def in_order(index: Tensor) -> Tensor:
            rows = index * width + tf.range(width)
            return tf.where(rows < inputs.num_examples, rows, -1)

        def loop(
            step: Callable[[Any, Batch], Any],
            carry: Any,
            rows_of: Callable[[Tensor], Tensor] = lambda index: inputs.rows[index],
            num_steps: Tensor = inputs.num_steps,
        ) -> Any:
            def body(index: Tensor, carry: Any) -> tuple[Tensor, Any]:
                return index + 1, step(carry, batch(inputs.x, inputs.y, rows_of(index)))

            first = (tf.constant(0), carry)
            # One iteration at a time: a step needs the weights of the step before.
            return tf.while_loop(lambda i, _: i < num_steps, body, first, parallel_iterations=1)[1]

        def surveyed(total: tuple[Tensor, Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
            seen = functions.learner.differentiate(begun.weights, begun.moving, batch)
            return total[0] + seen.sums, total[1] + seen.count

        num_batches = (inputs.num_examples + width - 1) // width
        survey = loop(surveyed, begun.survey, in_order, num_batches) if trainer.survey else begun.survey
        start = begun._replace(survey=survey)
        carry = loop(lambda carry, batch: trainer.step(start, carry, batch), trainer.init(start))
        result = trainer.final(start, carry)
        sides = list(zip(result.delta, network.is_personal, strict=True))
        shared, own = ([tensor for tensor, is_own in sides if is_own == side] for side in (False, True))
        statistics = result.moving[: len(network.statistics.names)]
        return ClientOutputs(
            payload=[*shared, *(t for x in spec.sends for t in listed_tensors(result.sends[x.name]))],
            personal=inputs.personal + join_tensors(own) if own else None,
            statistics=join_tensors(statistics) if statistics else None,
            means=result.means,
            # No `:=` here: AutoGraph, which custom code needs, cannot read it.
            keeps={x.name: listed_tensors(result.keeps[x.name]) for x in spec.keeps},
        )

    def whole(weights: Tensor, personal: Tensor, statistics: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        seeds = tf.zeros([len(network.seed_slots), 2], tf.int64)
        return _assembled(network, weights, personal), _moving(network, statistics, seeds)

    def measure(weights: Tensor, personal: Tensor, statistics: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return functions.measure(*whole(weights, personal, statistics), x, y)

    def predict(weights: Tensor, personal: Tensor, statistics: Tensor, x: Tensor) -> Tensor:
        return functions.predict(*whole(weights, personal, statistics), x)

    specs = _input_specs(network, spec, example, batch_size)
    # AutoGraph translates `if` and `for` on tensors for a second. Our own code has none, wherever it is named.
    is_custom = has_custom_optimizer or not spec.build.__module__.startswith("fedcli.")
    try:
        program = traced(train, specs, jit_compile=network.is_dense, autograph=is_custom)
    except (AttributeError, TypeError, ValueError) as error:
        # Keras notices only while tracing that the targets have another form than the loss or a metric takes.
        reason = str(error).strip().splitlines()[-1].strip()
        raise ConfigError(
            f"the loss or a metric does not fit the targets or the model: {reason}",
            key="loss",
            hint="Labels are whole numbers unless data.preprocessing makes them one_hot; targets are floats.",
        ) from error
    # Concrete, so that another shape or type is an error and not a second, slow trace.
    measured = tf.function(measure, autograph=False).get_concrete_function(
        specs.weights, specs.personal, specs.statistics, specs.x, specs.y
    )
    # Not concrete: most runs never call it, and tracing takes time.
    inputs = [specs.weights, specs.personal, specs.statistics, specs.x]
    predicted = tf.function(predict, input_signature=inputs, autograph=False)
    return Programs(program, measured, predicted, lambda: traces)


def traced(train: Callable[[Any], Any], specs: NamedTuple, **options: bool) -> Callable[[Any], Any]:
    """Trace `train` as a function of plain tensors, because TensorFlow is slow at flattening nests in every call."""
    import tensorflow as tf

    def train_flat(*tensors: Tensor) -> Any:
        return train(tf.nest.pack_sequence_as(specs, tensors))

    program = tf.function(train_flat, **options).get_concrete_function(*_flat(specs))
    # A call of `program` itself binds every tensor to its name first, which takes longer than a tiny client's training.
    call, captured = program.inference_fn.call_preflattened, program.captured_inputs

    def run(inputs: Any) -> Any:
        # Nor does it look at shapes, and a loss may take targets of another one without a word.
        for name in ("x", "y"):
            given, wanted = getattr(inputs, name), getattr(specs, name)
            if given.dtype != wanted.dtype or not wanted.shape.is_compatible_with(given.shape):
                of = "examples" if name == "x" else "targets"
                raise TypeError(
                    f"its {of} are {given.dtype.name} of shape {list(given.shape[1:])} each; those of the model are "
                    f"{wanted.dtype.name} of shape {list(wanted.shape[1:])}"
                )
        return call([*_flat(inputs), *captured])

    return run


def _flat(inputs: Iterable[Any]) -> list[Tensor]:
    """The tensors of `inputs` in the order of `tf.nest`: field by field, mappings sorted by name."""
    tensors: list[Tensor] = []
    for field in inputs:
        tensors += [field[name] for name in sorted(field)] if isinstance(field, Mapping) else [field]
    return tensors


def _start(network: NetworkLike, inputs: ClientInputs, num_metrics: int) -> Start:
    import tensorflow as tf

    def listed(value: Tensor) -> Tensor | Tensors:
        return split_vector(value, network.trainable) if value.shape.rank == 1 else value

    return Start(
        weights=_assembled(network, inputs.weights, inputs.personal),
        moving=_moving(network, inputs.statistics, inputs.seeds),
        learning_rate_scale=inputs.learning_rate_scale,
        num_steps=inputs.num_steps,
        extras={name: listed(value) for name, value in inputs.extras.items()},
        state={name: listed(value) for name, value in inputs.state.items()},
        survey=(tf.zeros([num_metrics]), tf.zeros([])),
        noise=inputs.noise,
    )


def _assembled(network: NetworkLike, weights: Tensor, personal: Tensor) -> list[Tensor]:
    """All trainable weights in the model's order, from the shared and the personal weights."""
    shared, own = (
        iter(split_vector(weights, network.trainable)),
        iter(split_vector(personal, network.personal)),
    )
    return [next(own) if is_personal else next(shared) for is_personal in network.is_personal]


def _moving(network: NetworkLike, statistics: Tensor, seeds: Tensor) -> list[Tensor]:
    import tensorflow as tf

    # Layers keep their random states in another type than the int64 of the inputs.
    kinds = [network.model.non_trainable_variables[slot].dtype for slot in network.seed_slots]
    return split_vector(statistics, network.statistics) + [
        tf.cast(seeds[i], kind) for i, kind in enumerate(kinds)
    ]


def _input_specs(
    network: NetworkLike, spec: TrainerSpec, example: Example, batch_size: int | None
) -> ClientInputs:
    import tensorflow as tf

    # Any number of examples and of batches, so that one trace serves all clients.
    vector, scalar = tf.TensorSpec([network.trainable.size]), tf.TensorSpec([])
    return ClientInputs(
        weights=vector,
        personal=tf.TensorSpec([network.personal.size]),
        statistics=tf.TensorSpec([network.statistics.size]),
        seeds=tf.TensorSpec([len(network.seed_slots), 2], tf.int64),
        learning_rate_scale=scalar,
        extras=dict.fromkeys(spec.receives, vector),
        state={x.name: vector if x.size == "model" else scalar for x in spec.keeps},
        x=tf.TensorSpec([None, *example.x_shape]),
        y=tf.TensorSpec([None, *example.y_shape], example.y_type),
        num_examples=tf.TensorSpec([], tf.int32),
        rows=tf.TensorSpec([None, batch_size], tf.int32),
        num_steps=tf.TensorSpec([], tf.int32),
        noise=tf.TensorSpec([None, None], tf.int32),
    )
