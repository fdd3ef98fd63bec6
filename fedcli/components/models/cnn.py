"""The CNN of the FedAvg paper: 1,663,370 weights on 28x28 images of 10 classes."""

from __future__ import annotations

from fedcli.components.models.architecture import Architecture, LayerWork, Shape, dense_parameters
from fedcli.components.models.image_input import require_image
from fedcli.core.types import KerasModel


def cnn() -> Architecture:
    """McMahan's CNN: two padded 5x5 convolutions (32, 64) with pooling, a dense layer of 512; returns logits.

    Reference: McMahan et al. 2017, arXiv:1602.05629.
    """

    def build(input_shape: Shape, num_outputs: int) -> KerasModel:
        from keras import Input, Sequential, layers

        # Of 4 pixels, two poolings leave 1.
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

    def num_parameters(input_shape: Shape, num_outputs: int) -> int:
        height, width, channels = require_image("cnn", input_shape, minimum=4)
        convolutions = (25 * channels + 1) * 32 + (25 * 32 + 1) * 64
        # Padded convolutions keep the size, and each of the two poolings halves it.
        return convolutions + dense_parameters([(height // 4) * (width // 4) * 64, 512, num_outputs])

    def work(input_shape: Shape, num_outputs: int) -> LayerWork:
        height, width, _ = require_image("cnn", input_shape, minimum=4)
        whole, half, quarter = (height * width, (height // 2) * (width // 2), (height // 4) * (width // 4))
        # The last pooling, and the same values once more where they are flattened.
        maps = 32 * whole + (32 + 64) * half + 2 * 64 * quarter
        return LayerWork(maps + 512 + num_outputs, is_dense=False)

    return Architecture(build, num_parameters, work=work)
