"""Keras layers before a model, which change its inputs by constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedcli.components.models.architecture import Shape
from fedcli.core.types import Array, KerasLayer, KerasModel


def with_first_layers(model: KerasModel, shape: Shape, layers: Sequence[KerasLayer]) -> KerasModel:
    """The model with other layers before it, which receive float32 examples of `shape`."""
    from keras import Input, Sequential

    whole: KerasModel = Sequential([Input(shape, dtype="float32"), *layers, model])
    return whole


def flattened() -> KerasLayer:
    """The layer that makes each example one row of features."""
    from keras.layers import Flatten

    layer: KerasLayer = Flatten()
    return layer


def moved(centre: Array, divisor: Array) -> list[KerasLayer]:
    """Layers for (x - centre) / divisor, with one constant for all features or one for each."""
    from keras.layers import Normalization, Rescaling

    # In two layers, because Normalization does not divide by less than 1e-7, and Rescaling alone would add a large
    # number to a large one.
    shape = np.broadcast(centre, divisor).shape
    scale = 1 / np.broadcast_to(divisor, shape)
    mean = np.broadcast_to(centre, shape)
    if not shape:
        return [Rescaling(float(scale), float(-mean * scale))]
    axes = tuple(range(-len(shape), 0))
    return [Normalization(axis=axes, mean=mean, variance=np.ones(shape)), Rescaling(scale.tolist())]
