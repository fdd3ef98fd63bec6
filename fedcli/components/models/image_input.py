"""The check that the input of a convolutional model is an image."""

from __future__ import annotations

from fedcli.components.models.architecture import Shape
from fedcli.core.errors import ConfigError


def require_image(model: str, input_shape: Shape, *, minimum: int) -> tuple[int, int, int]:
    """Height, width and channels of `input_shape`.

    Raises:
        ConfigError: if the examples are not images of at least `minimum` pixels a side.
    """
    if len(input_shape) != 3 or min(input_shape[:2]) < minimum:
        raise ConfigError(
            f"{model} takes images of shape [height, width, channels] with sides of at least {minimum}; "
            f"an example of this dataset has shape {list(input_shape)}.",
            key="name",
            hint="Use model: {name: mlp}, or a dataset of images without flatten in data.preprocessing.",
        )
    height, width, channels = input_shape
    return height, width, channels
