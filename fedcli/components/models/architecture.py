"""The result of a model factory: how to build the network, and its number of weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from fedcli.core.errors import ConfigError
from fedcli.core.types import KerasModel

Shape = tuple[int, ...]

_MOST_UNITS = 1_000_000


class LayerWork(NamedTuple):
    """What layers need in memory while they calculate.

    Args:
        activations: values that all layers return for one example.
        is_dense: whether XLA compiles them, which reuses memory.
    """

    activations: int
    is_dense: bool


class Architecture(NamedTuple):
    """A network before it is built.

    Args:
        build: `(input_shape, num_outputs)` -> a built Keras model that returns logits or predictions.
        num_parameters: `(input_shape, num_outputs)` -> number of trainable weights; None if the model must be
            built to count them (a custom factory).
        num_statistics: number of weights that training moves without a gradient (BatchNorm's moving averages), of a
            model that counts its parameters.
        work: `(input_shape, num_outputs)` -> what its layers need in memory; None if the model must be built.
    """

    build: Callable[[Shape, int], KerasModel]
    num_parameters: Callable[[Shape, int], int] | None
    num_statistics: int = 0
    work: Callable[[Shape, int], LayerWork] | None = None


def dense_parameters(widths: Sequence[int]) -> int:
    """Weights and biases of a chain of dense layers; `widths` starts with the number of inputs."""
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths))


def check_units(hidden: Sequence[int]) -> None:
    """Refuse hidden layers without a unit, and with more units than any machine has memory for.

    Raises:
        ConfigError: with `hidden` as its key.
    """
    for units in hidden:
        if not 1 <= units <= _MOST_UNITS:
            raise ConfigError(
                f"a hidden layer has 1 to {_MOST_UNITS:,} units; received {units}.", key="hidden"
            )


def flat_size(shape: Shape) -> int:
    """Number of values of one example."""
    return math.prod(shape)
