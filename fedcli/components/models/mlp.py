"""Multi-layer perceptron: dense layers with ReLU."""

from __future__ import annotations

from fedcli.components.models.architecture import (
    Architecture,
    LayerWork,
    Shape,
    check_units,
    dense_parameters,
    flat_size,
)
from fedcli.core.errors import ConfigError
from fedcli.core.types import KerasModel


def mlp(
    *, hidden: tuple[int, ...] = (200, 200), dropout: float = 0.0, batch_norm: bool = False
) -> Architecture:
    """Multi-layer perceptron that returns logits; the default is the 2NN of the FedAvg paper.

    Args:
        hidden: units of each hidden layer, 1 to 1,000,000.
        dropout: share of units dropped after each hidden layer, in [0, 1).
        batch_norm: normalise each hidden layer before its ReLU.

    Reference: McMahan et al. 2017, arXiv:1602.05629.
    """
    check_units(hidden)
    if not 0 <= dropout < 1:
        raise ConfigError(f"dropout is a share in [0, 1); received {dropout}.", key="dropout")

    def build(input_shape: Shape, num_outputs: int) -> KerasModel:
        from keras import Input, Sequential, layers

        stack = [Input(input_shape), layers.Flatten()]
        for units in hidden:
            if batch_norm:
                stack += [layers.Dense(units), layers.BatchNormalization(), layers.ReLU()]
            else:
                stack.append(layers.Dense(units, activation="relu"))
            if dropout:
                stack.append(layers.Dropout(dropout))
        return Sequential([*stack, layers.Dense(num_outputs)])

    def num_parameters(shape: Shape, num_outputs: int) -> int:
        # BatchNorm trains a scale and a shift for each unit; its averages are not trained.
        scales_and_shifts = 2 * sum(hidden) if batch_norm else 0
        return dense_parameters([flat_size(shape), *hidden, num_outputs]) + scales_and_shifts

    def work(shape: Shape, num_outputs: int) -> LayerWork:
        # Of a hidden layer, also what BatchNorm and its ReLU, and Dropout return.
        returned = 1 + 2 * batch_norm + (dropout > 0)
        activations = flat_size(shape) + returned * sum(hidden) + num_outputs
        return LayerWork(activations, is_dense=not (dropout or batch_norm))

    return Architecture(build, num_parameters, 2 * sum(hidden) if batch_norm else 0, work)
