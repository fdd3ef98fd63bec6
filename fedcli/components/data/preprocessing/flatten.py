"""Examples as rows of features."""

from __future__ import annotations

import math

from fedcli.components.data.dataset import Array
from fedcli.components.data.preprocessing.preprocessor import Preprocessor, Statistics


def flatten() -> Preprocessor:
    """Make each example one row of features, [n, ...] -> [n, d]."""

    def apply(x: Array, _statistics: Statistics) -> Array:
        return x.reshape(len(x), math.prod(x.shape[1:]))

    return Preprocessor(apply=apply)
