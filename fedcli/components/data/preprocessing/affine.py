"""Features moved and scaled by constants."""

from __future__ import annotations

import math

import numpy as np

from fedcli.components.data.dataset import Array
from fedcli.components.data.preprocessing.preprocessor import Preprocessor, Statistics
from fedcli.core.errors import ConfigError


def affine(
    *, centre: float | tuple[float, ...] = 0.0, divisor: float | tuple[float, ...] = 1.0
) -> Preprocessor:
    """(x - centre) / divisor with constants of the config, one for all features or one for each.

    What `standardise` would learn from a client's examples is said beforehand, so that no example can move another
    one. Known ranges or public figures are good constants.

    Args:
        centre: what is subtracted, one number or one for each feature.
        divisor: what is divided by, one number above 0 or one for each feature.

    Raises:
        ConfigError: if a constant is not finite or a divisor not above 0; on use, if their number is not that of the
            features.

    Example: centre=8.0, divisor=4.0
    """
    constants = {"centre": np.asarray(centre, np.float64), "divisor": np.asarray(divisor, np.float64)}
    for key, values in constants.items():
        if not np.isfinite(values).all() or (key == "divisor" and not (values > 0).all()):
            expected = "finite numbers above 0" if key == "divisor" else "finite numbers"
            raise ConfigError(f"{key} is {values.tolist()}; expected {expected}.", key=key)

    def apply(x: Array, _statistics: Statistics) -> Array:
        num_features = math.prod(x.shape[1:])
        for key, values in constants.items():
            if values.ndim and values.size != num_features:
                raise ConfigError(
                    f"{key} has {values.size} numbers; an example has {num_features} features.", key=key
                )
        rows = x.reshape(len(x), num_features)
        moved: Array = (rows - constants["centre"]) / constants["divisor"]
        return moved.reshape(x.shape)

    return Preprocessor(apply=apply)
