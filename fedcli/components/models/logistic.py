"""Softmax regression; with one output and squared error, linear regression."""

from __future__ import annotations

from typing import Any

from fedcli.components.models.architecture import Architecture, Shape, dense_parameters, flat_size


def logistic() -> Architecture:
    """Multinomial logistic regression: one dense layer that returns logits."""
    return Architecture(_build, lambda shape, outputs: dense_parameters([flat_size(shape), outputs]))


def _build(input_shape: Shape, num_outputs: int) -> Any:
    from keras import Input, Sequential, layers

    return Sequential([Input(input_shape), layers.Flatten(), layers.Dense(num_outputs)])
