"""The CNN of the FedAvg paper: 1,663,370 weights on 28x28 images of 10 classes."""

from __future__ import annotations

from typing import Any

from fedcli.components.models.architecture import Architecture, Shape, dense_parameters
from fedcli.components.models.image_input import require_image


def cnn() -> Architecture:
    """McMahan's CNN: two padded 5x5 convolutions (32, 64) with pooling, a dense layer of 512; returns logits.

    Reference: McMahan et al. 2017, arXiv:1602.05629.
    """
    return Architecture(_build, _num_parameters)


def _build(input_shape: Shape, num_outputs: int) -> Any:
    from keras import Input, Sequential, layers

    require_image("cnn", input_shape, minimum=4)
    return Sequential(
        [
            Input(input_shape),
            layers.Conv2D(32, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(num_outputs),
        ]
    )


def _num_parameters(input_shape: Shape, num_outputs: int) -> int:
    height, width, channels = require_image("cnn", input_shape, minimum=4)
    convolutions = (25 * channels + 1) * 32 + (25 * 32 + 1) * 64
    return convolutions + dense_parameters([(height // 4) * (width // 4) * 64, 512, num_outputs])
