"""Multiplication by a constant."""

from __future__ import annotations

import math

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.components.data.preprocessing.preprocessor import Preprocessor, Statistics
from fedcli.core.errors import ConfigError


def scale(*, factor: float) -> Preprocessor:
    """Multiply every feature by a constant.

    Args:
        factor: the constant, such as 1/255 = 0.00392156862745098 for images.

    Raises:
        ConfigError: if the factor is zero or not finite.

    Example: factor=0.0625
    """
    if not math.isfinite(factor) or factor == 0:
        raise ConfigError(f"factor is {factor}; expected a finite number other than 0.", key="factor")

    def apply(x: Array, _statistics: Statistics) -> Array:
        # At once in float32: NumPy's float64 product of images in bytes would be eight times as large.
        return np.multiply(x, factor, dtype=np.float32)

    return Preprocessor(apply=apply)
