"""Softmax regression; with one output and squared error, linear regression."""

from __future__ import annotations

from fedcli.components.models.architecture import Architecture, LayerWork, Shape, dense_parameters, flat_size
from fedcli.core.types import KerasModel


def logistic() -> Architecture:
    """Multinomial logistic regression: one dense layer that returns logits."""

    def build(input_shape: Shape, num_outputs: int) -> KerasModel:
        from keras import Input, Sequential, layers

        return Sequential([Input(input_shape), layers.Flatten(), layers.Dense(num_outputs)])

    return Architecture(
        build,
        lambda shape, outputs: dense_parameters([flat_size(shape), outputs]),
        work=lambda shape, outputs: LayerWork(flat_size(shape) + outputs, is_dense=True),
    )
