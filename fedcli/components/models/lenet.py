"""LeNet-5 with ReLU and max pooling: 44,426 weights on 28x28 images of 10 classes."""

from __future__ import annotations

from fedcli.components.models.architecture import Architecture, LayerWork, Shape, dense_parameters
from fedcli.components.models.image_input import require_image
from fedcli.core.types import KerasModel


def lenet() -> Architecture:
    """LeNet-5: two 5x5 convolutions (6, 16) with pooling, then dense layers of 120 and 84; returns logits.

    Reference: LeCun et al. 1998, Proceedings of the IEEE 86(11). ReLU and max pooling as is usual today.

    Needs: data={'name': 'fashion_mnist', 'partition': {'name': 'iid', 'clients': 12}}
    """

    def build(input_shape: Shape, num_outputs: int) -> KerasModel:
        from keras import Input, Sequential, layers

        # Of 16 pixels, two convolutions without padding and two poolings leave 1.
        require_image("lenet", input_shape, minimum=16)
        return Sequential(
            [
                Input(input_shape),
                layers.Conv2D(6, 5, activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(16, 5, activation="relu"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dense(120, activation="relu"),
                layers.Dense(84, activation="relu"),
                layers.Dense(num_outputs),
            ]
        )

    def num_parameters(input_shape: Shape, num_outputs: int) -> int:
        height, width, channels = require_image("lenet", input_shape, minimum=16)
        # A 5x5 convolution without padding takes 4 pixels from each side length, and pooling halves the rest.
        rows, columns = (((size - 4) // 2 - 4) // 2 for size in (height, width))
        convolutions = (25 * channels + 1) * 6 + (25 * 6 + 1) * 16
        return convolutions + dense_parameters([rows * columns * 16, 120, 84, num_outputs])

    def work(input_shape: Shape, num_outputs: int) -> LayerWork:
        height, width, _ = require_image("lenet", input_shape, minimum=16)
        rows, columns = (
            (size - 4, (size - 4) // 2, (size - 4) // 2 - 4, ((size - 4) // 2 - 4) // 2)
            for size in (height, width)
        )
        # Convolution, pooling, convolution, pooling, of which the last one is flattened too.
        first, pooled, second, last = (each * other for each, other in zip(rows, columns, strict=True))
        maps = 6 * (first + pooled) + 16 * (second + 2 * last)
        return LayerWork(maps + 120 + 84 + num_outputs, is_dense=False)

    return Architecture(build, num_parameters, work=work)
