"""A built Keras model and the flat vectors that it is split into."""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fedcli.core.errors import ConfigError
from fedcli.core.seeds import SERVER, seed
from fedcli.core.types import Vector
from fedcli.core.vectors import Layout, flatten, unflatten

# Layers that XLA compiles into faster CPU programs; it is ruinous for convolutions.
_DENSE_LAYERS = {"InputLayer", "Dense", "Flatten", "Reshape", "Activation", "ReLU", "Rescaling"}
_CONTAINERS = {"Sequential", "Functional"}


class Vectors(NamedTuple):
    """A model's values: what clients send [P], statistics [Q], frozen [F] and personal weights [R]."""

    trainable: Vector
    statistics: Vector
    frozen: Vector
    personal: Vector


@dataclass(frozen=True)
class Network:
    """A Keras model whose variables stand in three groups.

    Args:
        model: the built model; it serves as a program, its variables hold only the frozen values.
        trainable: what clients train and send.
        statistics: floats that a forward pass moves, such as BatchNorm's averages.
        frozen: weights that `model.trainable` leaves out: never trained, never sent.
        personal: weights that are trained and stay with each client.
        is_personal: for each of `model.trainable_variables`, whether it is personal.
        statistic_slots: positions of the statistics in `model.non_trainable_variables`.
        seed_slots: positions there of the random states of layers such as Dropout.
    """

    model: Any
    trainable: Layout
    statistics: Layout
    frozen: Layout
    personal: Layout
    is_personal: tuple[bool, ...]
    statistic_slots: tuple[int, ...]
    seed_slots: tuple[int, ...]

    @property
    def is_dense(self) -> bool:
        """Whether the model is made of dense layers only: the rule by which XLA is chosen."""
        return _is_dense(self.model)

    def vectors(self) -> Vectors:
        """The values of the model's variables now."""
        trainable, moving, frozen = _groups(self.model)
        shared, personal = _divided(trainable, self.is_personal)
        return Vectors(*map(_values, (shared, moving, frozen, personal)))

    def load_frozen(self, frozen: Vector) -> None:
        """Put the frozen values into the model's variables, where compiled programs read them."""
        values = unflatten(frozen, self.frozen).values()
        for variable, value in zip(_groups(self.model)[2], values, strict=True):
            variable.assign(value)


def build_model(build: Callable[[], Any], *, root: int, trainable: str | None = None) -> Any:
    """A Keras model whose initial weights depend on `root` only.

    Args:
        build: returns a built Keras model.
        root: the experiment's seed.
        trainable: glob pattern of the variables to train (`"dense*"`), matched against their names; None: all.

    Raises:
        ConfigError: if it is no Keras model, nothing is trainable, or a trainable variable is not float32.
    """
    model = _build_apart(build, seed(root, 0, SERVER, "model") % 2**32)
    _check_kind(model)
    if trainable is not None:
        _freeze_all_but(model, trainable)
    if not model.trainable_variables:
        raise ConfigError("the model has no trainable weights.", key="name")
    for variable in model.trainable_variables:
        if variable.dtype != "float32":
            raise ConfigError(
                f"the trainable weights of {variable.path} are {variable.dtype}; fedcli trains float32.",
                key="name",
            )
    return model


def personal_weights(model: Any, pattern: str | None) -> tuple[bool, ...]:
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
    kinds = {id(v): type(layer).__name__ for layer in _leaves(model) for v in layer.variables}
    names = [(_name(model, v), f"{kinds.get(id(v), '')}/{v.path.rsplit('/', 1)[-1]}") for v in variables]
    flags = tuple(any(fnmatch.fnmatchcase(name, pattern) for name in pair) for pair in names)
    if not any(flags):
        raise ConfigError(
            f"'{pattern}' matches no weight that could be personal.",
            key="personal",
            hint=f"The model has: {', '.join(name for name, _ in names)}.",
        )
    if all(flags):
        raise ConfigError(f"'{pattern}' matches every weight; nothing is left to share.", key="personal")
    return flags


def split(model: Any, is_personal: tuple[bool, ...]) -> Network:
    """The network of a built model.

    Raises:
        ConfigError: if two of its weights have the same name.
    """
    groups = _groups(model)
    slots = list(enumerate(model.non_trainable_variables))
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
        seed_slots=tuple(i for i, variable in slots if _is_seed(variable)),
    )


def _build_apart(build: Callable[[], Any], model_seed: int) -> Any:
    """Build in a thread of its own, and leave Python's and NumPy's generators as they were.

    Keras numbers layers (`dense_1`) by a counter that each thread has for itself: in a new one, names do
    not depend on which models the process built before. Initialisers without a seed draw from Python's
    generator, which is the one reason to touch it.
    """

    def job() -> Any:
        from keras.utils import set_random_seed

        set_random_seed(model_seed)
        return build()

    states = random.getstate(), np.random.get_state()
    try:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(job).result()
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def _check_kind(model: Any) -> None:
    from keras import Model

    if not isinstance(model, Model):
        raise ConfigError(
            f"the factory returned a {type(model).__name__}; a built Keras model is expected.", key="name"
        )


def _freeze_all_but(model: Any, pattern: str) -> None:
    matched = [v for v in model.trainable_variables if fnmatch.fnmatch(_name(model, v), pattern)]
    if not matched:
        known = ", ".join(_name(model, variable) for variable in model.trainable_variables)
        raise ConfigError(
            f"the pattern '{pattern}' matches no trainable weights.",
            key="trainable",
            hint=f"The model has: {known}.",
        )
    kept = {id(variable) for variable in matched}
    for variable in list(model.trainable_variables):
        variable.trainable = id(variable) in kept


def _divided(variables: Sequence[Any], flags: Sequence[bool]) -> tuple[list[Any], list[Any]]:
    pairs = list(zip(variables, flags, strict=True))
    return [v for v, personal in pairs if not personal], [v for v, personal in pairs if personal]


def _groups(model: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Trainable variables, statistics, and frozen weights.

    Keras keeps a weight that was frozen later among its layer's trainable ones; averages never were there.
    """
    weights = {id(v) for layer in _leaves(model) for v in getattr(layer, "_trainable_variables", [])}
    rest = [v for v in model.non_trainable_variables if "float" in v.dtype]
    frozen = [v for v in rest if id(v) in weights]
    statistics = [v for v in rest if id(v) not in weights]
    return list(model.trainable_variables), statistics, frozen


def _is_dense(part: Any) -> bool:
    """A model with a call of its own, or with bare operations, may mix examples and so meet the padding."""
    if type(part).__name__ in _CONTAINERS:
        return all(_is_dense(inner) for inner in getattr(part, "operations", part.layers))
    return type(part).__name__ in _DENSE_LAYERS


def _leaves(model: Any) -> Sequence[Any]:
    return [layer for layer in model._flatten_layers(include_self=False) if not _has_layers(layer)]


def _has_layers(layer: Any) -> bool:
    return bool(getattr(layer, "layers", None))


def _is_seed(variable: Any) -> bool:
    return str(variable.path).endswith("seed_generator_state")


def _name(model: Any, variable: Any) -> str:
    """Keras's path of the variable without the model's own name."""
    return str(variable.path).removeprefix(f"{model.name}/")


def _layout(model: Any, variables: Sequence[Any]) -> Layout:
    names = tuple(_name(model, variable) for variable in variables)
    if len(set(names)) < len(names):
        raise ConfigError(
            f"two weights of the model have the same name: {', '.join(names)}.",
            key="name",
            hint="Give every layer a name of its own.",
        )
    return Layout(names, tuple(tuple(variable.shape) for variable in variables))


def _values(variables: Sequence[Any]) -> Vector:
    return flatten([variable.numpy() for variable in variables])
