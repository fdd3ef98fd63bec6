"""A Keras model and the flat vectors into which its values are split."""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fedcli.components.models.keras_layers import is_dense, leaves, may_mix_examples
from fedcli.core.errors import ConfigError
from fedcli.core.seeds import SERVER, seed
from fedcli.core.types import Array, KerasModel, KerasVariable, Vector
from fedcli.core.vectors import Layout, flatten, unflatten


class Vectors(NamedTuple):
    """A model's values: what clients send [P], statistics [Q], frozen [F] and personal weights [R]."""

    trainable: Vector
    statistics: Vector
    frozen: Vector
    personal: Vector


@dataclass(frozen=True)
class Network:
    """A Keras model and the layouts of its groups of variables.

    Args:
        model: the built model, which is used as a program; only the frozen values are read from its variables.
        trainable: what clients train and send.
        statistics: floats that a forward pass changes, such as BatchNorm's averages.
        frozen: weights that the option `model.trainable` leaves out: never trained, never sent.
        personal: weights that are trained and stay with each client.
        is_personal: for each of `model.trainable_variables`, whether it is personal.
        statistic_slots: positions of the statistics in `model.non_trainable_variables`.
        seed_slots: positions there of the random states of layers such as Dropout.
    """

    model: KerasModel
    trainable: Layout
    statistics: Layout
    frozen: Layout
    personal: Layout
    is_personal: tuple[bool, ...]
    statistic_slots: tuple[int, ...]
    seed_slots: tuple[int, ...]

    @property
    def is_dense(self) -> bool:
        """Whether the model consists of dense layers only; then XLA compiles it."""
        return is_dense(self.model)

    @property
    def may_mix_examples(self) -> bool:
        """Whether an example's part of the loss may depend on the others of its batch; then there is no padding."""
        return bool(self.statistics.names) or may_mix_examples(self.model)

    def vectors(self) -> Vectors:
        """The current values of the model's variables."""
        trainable, moving, frozen = _groups(self.model)
        shared, personal = _divided(trainable, self.is_personal)
        groups = (shared, moving, frozen, personal)
        return Vectors(*(flatten([variable.numpy() for variable in group]) for group in groups))

    def release(self) -> None:
        """Give back the memory of the trainable variables: compiled programs take these weights as inputs."""
        import tensorflow as tf

        nothing = tf.zeros([0])
        for variable in self.model.trainable_variables:
            # The variable remains, because Keras and TensorFlow refer to it, and has nothing in it.
            tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=nothing, validate_shape=False)

    def load_frozen(self, frozen: Vector) -> None:
        """Write the frozen values into the model's variables, from which compiled programs read them."""
        values = unflatten(frozen, self.frozen).values()
        for variable, value in zip(_groups(self.model)[2], values, strict=True):
            variable.assign(value)


def build_model(
    build: Callable[[], KerasModel], *, root: int, trainable: str | None = None, dtype: str = "float32"
) -> KerasModel:
    """A Keras model whose initial weights depend on `root` only.

    Args:
        build: returns a built Keras model.
        root: the experiment's seed.
        trainable: glob pattern of the variables to train (`"dense*"`), matched against their names; None: all.
        dtype: Keras's policy for layers that name none: in which type they calculate.

    Raises:
        ConfigError: if it is not a Keras model, nothing is trainable, or a trainable variable is not float32 or has a
            constraint.
    """
    # NumPy takes seeds of at most 32 bits.
    model = _build_apart(build, seed(root, 0, SERVER, "model") % 2**32, dtype)
    from keras import Model

    if not isinstance(model, Model):
        raise ConfigError(
            f"the factory returned a {type(model).__name__}; a built Keras model is expected.", key="name"
        )
    if trainable is not None:
        _freeze_all_but(model, trainable)
    if not model.trainable_variables:
        raise ConfigError("the model has no trainable weights.", key="name")
    for variable in model.trainable_variables:
        # Clients send one float32 vector, in which other types would be rounded.
        if variable.dtype != "float32":
            raise ConfigError(
                f"the trainable weights of {variable.path} are {variable.dtype}; fedcli trains float32.",
                key="name",
            )
        # Keras applies it in the optimizer's step, and a mean or noise would break it again.
        if variable.constraint is not None:
            raise ConfigError(
                f"the trainable weights of {variable.path} have the constraint {type(variable.constraint).__name__}, "
                "which neither clients nor the server would keep.",
                key="name",
                hint="Build the layer without it, for example with a kernel_regularizer.",
            )
    return model


def load_weights(model: KerasModel, arrays: Mapping[str, Array]) -> None:
    """Write arrays into a model's variables, by the names that a checkpoint gives them.

    The random states of layers such as Dropout stay as they are: they have no part in predictions.

    Raises:
        ConfigError: if an array is missing or has another shape.
    """
    for variable in [each for group in _groups(model) for each in group]:
        name = _name(model, variable)
        if name not in arrays or arrays[name].shape != tuple(variable.shape):
            found = f"has shape {list(arrays[name].shape)}" if name in arrays else "is missing"
            raise ConfigError(
                f"the weight {name} {found} in the checkpoint; the model has shape {list(variable.shape)}.",
                key="name",
                hint="Build the same model as when the run began.",
            )
    for variable in [each for group in _groups(model) for each in group]:
        variable.assign(arrays[_name(model, variable)])


def personal_weights(model: KerasModel, pattern: str | None) -> tuple[bool, ...]:
    """For each trainable variable, whether it stays with the clients.

    Args:
        model: the built model.
        pattern: glob pattern of these weights, matched against their names and against `KindOfLayer/weight`;
            None: no weight.

    Raises:
        ConfigError: if the pattern matches no variable or all of them.
    """
    variables = model.trainable_variables
    if pattern is None:
        return (False,) * len(variables)
    kinds = {id(v): type(layer).__name__ for layer in leaves(model) for v in layer.variables}
    names = [(_name(model, v), f"{kinds.get(id(v), '')}/{v.path.rsplit('/', 1)[-1]}") for v in variables]
    # `fnmatch` would ignore case on Windows, so that the same config would split the model differently.
    flags = tuple(any(fnmatch.fnmatchcase(name, pattern) for name in pair) for pair in names)
    if not any(flags):
        raise ConfigError(
            f"the pattern '{pattern}' matches no weight that clients train.",
            key="personal",
            hint=f"The model has: {', '.join(name for name, _ in names)}.",
        )
    if all(flags):
        raise ConfigError(
            f"the pattern '{pattern}' matches every weight, so that none is left to send.",
            key="personal",
            hint="Use a pattern that leaves some weights out.",
        )
    return flags


def split(model: KerasModel, is_personal: tuple[bool, ...]) -> Network:
    """The network of a built model.

    Raises:
        ConfigError: if two of its weights have the same name.
    """
    groups = _groups(model)
    slots = list(enumerate(model.non_trainable_variables))
    # By identity, because == compares the values of Keras variables.
    moving = {id(variable) for variable in groups[1]}
    shared, own = _divided(groups[0], is_personal)
    sent, statistics, frozen, kept = (_layout(model, group) for group in (shared, *groups[1:], own))
    return Network(
        model,
        sent,
        statistics,
        frozen,
        kept,
        is_personal,
        statistic_slots=tuple(i for i, variable in slots if id(variable) in moving),
        # Keras keeps the random state of Dropout here; every client starts it from its own seed.
        seed_slots=tuple(i for i, variable in slots if variable.path.endswith("seed_generator_state")),
    )


def _build_apart(build: Callable[[], KerasModel], model_seed: int, dtype: str) -> KerasModel:
    """Build in a new thread, and restore Python's and NumPy's generators.

    Keras numbers layers (`dense_1`) with a counter of the thread, and keeps a policy of types for each thread. In a new
    thread the names do not depend on the models that the process built before. Initialisers without a seed draw from
    Python's generator, so that it is seeded here.
    """

    def job() -> KerasModel:
        from keras.config import set_dtype_policy
        from keras.utils import set_random_seed

        set_random_seed(model_seed)
        if dtype != "float32":
            set_dtype_policy(dtype)
        return build()

    states = random.getstate(), np.random.get_state()
    try:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(job).result()
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def _freeze_all_but(model: KerasModel, pattern: str) -> None:
    matched = [v for v in model.trainable_variables if fnmatch.fnmatch(_name(model, v), pattern)]
    if not matched:
        known = ", ".join(_name(model, variable) for variable in model.trainable_variables)
        raise ConfigError(
            f"the pattern '{pattern}' matches no trainable weights.",
            key="trainable",
            hint=f"The model has: {known}.",
        )
    # By each variable's own flag, because the flag of a layer holds for all of its variables.
    kept = {id(variable) for variable in matched}
    for variable in list(model.trainable_variables):
        variable.trainable = id(variable) in kept


def _divided(
    variables: Sequence[KerasVariable], flags: Sequence[bool]
) -> tuple[list[KerasVariable], list[KerasVariable]]:
    pairs = list(zip(variables, flags, strict=True))
    return [v for v, personal in pairs if not personal], [v for v, personal in pairs if personal]


def _groups(model: KerasModel) -> tuple[list[KerasVariable], list[KerasVariable], list[KerasVariable]]:
    """Trainable variables, statistics, and frozen weights."""
    # A layer still lists a weight as trainable after it was frozen, but never an average of BatchNorm.
    weights = {id(v) for layer in leaves(model) for v in getattr(layer, "_trainable_variables", [])}
    rest = [v for v in model.non_trainable_variables if "float" in v.dtype]
    frozen = [v for v in rest if id(v) in weights]
    statistics = [v for v in rest if id(v) not in weights]
    return list(model.trainable_variables), statistics, frozen


def _name(model: KerasModel, variable: KerasVariable) -> str:
    """Keras's path of the variable without the model's own name."""
    # The same layers keep their names in a model with another name.
    return str(variable.path).removeprefix(f"{model.name}/")


def _layout(model: KerasModel, variables: Sequence[KerasVariable]) -> Layout:
    names = tuple(_name(model, variable) for variable in variables)
    if len(set(names)) < len(names):
        raise ConfigError(
            f"two weights of the model have the same name: {', '.join(names)}.",
            key="name",
            hint="Give every layer its own name.",
        )
    return Layout(names, tuple(tuple(variable.shape) for variable in variables))
