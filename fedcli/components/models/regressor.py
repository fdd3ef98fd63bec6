"""A small regression network."""

from __future__ import annotations

from fedcli.components.models.architecture import (
    Architecture,
    LayerWork,
    Shape,
    check_units,
    dense_parameters,
    flat_size,
)
from fedcli.core.types import KerasModel


def regressor(*, hidden: int = 10) -> Architecture:
    """One hidden ReLU layer and a linear output, for squared error.

    Args:
        hidden: units of the hidden layer, 1 to 1,000,000.

    Needs: data={'name': 'synthetic_regression', 'partition': {'name': 'iid', 'clients': 12}}
    """
    check_units([hidden])

    def build(input_shape: Shape, num_outputs: int) -> KerasModel:
        from keras import Input, Sequential, layers

        return Sequential(
            [
                Input(input_shape),
                layers.Flatten(),
                layers.Dense(hidden, activation="relu"),
                layers.Dense(num_outputs),
            ]
        )

    return Architecture(
        build,
        lambda shape, outputs: dense_parameters([flat_size(shape), hidden, outputs]),
        work=lambda shape, outputs: LayerWork(flat_size(shape) + hidden + outputs, is_dense=True),
    )
